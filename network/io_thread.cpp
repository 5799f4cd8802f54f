#include "network/io_thread.hpp"

#include "network/tcp_connection.hpp"

#include <algorithm>
#include <vector>

namespace holdfast::network {

namespace {

// A quarter of the shortest deadline, so that none is missed by more than that.
std::chrono::milliseconds sweep_interval_for(const limits& bounds) {
    using namespace std::chrono_literals;
    const auto shortest = std::min(
        {bounds.idle_timeout, bounds.slow_frame_timeout, bounds.slow_reader_timeout, linger_timeout});
    return std::clamp(shortest / 4, 5ms, 1000ms);
}

} // namespace

io_thread::io_thread(std::shared_ptr<runner_state> shared)
    : shared_(std::move(shared)),
      work_(context_.get_executor()),
      sweep_timer_(context_),
      sweep_interval_(sweep_interval_for(shared_->bounds)) {}

io_thread::~io_thread() {
    HOLDFAST_CHECK(!thread_.joinable());
}

void io_thread::start() {
    schedule_sweep();
    thread_ = std::thread{[this] { context_.run(); }};
    pthread_setname_np(thread_.native_handle(), "holdfast-io");
}

void io_thread::stop() {
    post([this] {
        is_stopping_ = true;
        sweep_timer_.cancel();
        work_.reset();
    });
    if (thread_.joinable())
        thread_.join();
    else
        context_.run(); // never started: what was posted still holds on to things
}

void io_thread::adopt(boost::asio::ip::tcp::socket socket, std::string address, frame_handler& handler) {
    const connection_id id{++shared_->last_connection_id};
    auto opened = std::make_shared<tcp_connection>(shared_from_this(), shared_, std::move(socket),
                                                   std::move(address), id, handler);
    connections_.emplace(id, opened);
    opened->open();
    if (shared_->is_closing)
        opened->close_now("shutting down");
}

void io_thread::close_all_after_flush(const std::string& reason) {
    for_each_connection([&](tcp_connection& each) { each.flush_and_close(reason); });
}

void io_thread::close_all_now(const std::string& reason) {
    for_each_connection([&](tcp_connection& each) { each.close_now(reason); });
}

void io_thread::schedule_sweep() {
    sweep_timer_.expires_after(sweep_interval_);
    sweep_timer_.async_wait([this](const boost::system::error_code& failure) {
        if (!failure && !is_stopping_)
            sweep();
    });
}

void io_thread::sweep() {
    const auto now = std::chrono::steady_clock::now();
    for_each_connection([&](tcp_connection& each) { each.check_deadlines(now); });
    schedule_sweep();
}

// Over a copy: a visited connection may close and forget itself.
template <class Visit>
void io_thread::for_each_connection(Visit visit) {
    std::vector<std::shared_ptr<tcp_connection>> all;
    all.reserve(connections_.size());
    for (const auto& [id, each] : connections_)
        all.push_back(each);
    for (const auto& each : all)
        visit(*each);
}

} // namespace holdfast::network
