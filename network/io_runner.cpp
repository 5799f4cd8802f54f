#include <utility> // Boost 1.74's Asio uses std::exchange without including it

#include "network/io_runner.hpp"

#include "network/io_thread.hpp"
#include "network/listener.hpp"
#include "network/runner_state.hpp"

#include <vector>

namespace holdfast::network {

struct io_runner::state {
    explicit state(const limits& bounds) : shared(std::make_shared<runner_state>(bounds)) {
        for (std::uint32_t index = 0; index < std::max(1U, bounds.io_threads); ++index)
            threads.push_back(std::make_shared<io_thread>(shared));
    }

    std::shared_ptr<runner_state> shared;
    std::vector<std::shared_ptr<io_thread>> threads;
    std::vector<std::shared_ptr<listener>> listeners;
    bool is_started = false;
};

io_runner::io_runner(limits bounds) : state_(std::make_unique<state>(bounds)) {}

io_runner::~io_runner() {
    stop_accepting();
    flush_and_close_all(std::chrono::milliseconds{0});
    for (const auto& thread : state_->threads)
        thread->stop();
}

result<std::uint16_t> io_runner::listen(const std::string& address, std::uint16_t port,
                                        frame_handler& handler) {
    HOLDFAST_CHECK(!state_->is_started);
    auto opened = listener::open(address, port, handler, state_->threads, state_->shared);
    if (!opened)
        return opened.failure();
    state_->listeners.push_back(*opened);
    return (*opened)->port();
}

void io_runner::start() {
    HOLDFAST_CHECK(!state_->is_started);
    state_->is_started = true;
    for (const auto& each : state_->listeners)
        each->start();
    for (const auto& thread : state_->threads)
        thread->start();
}

void io_runner::stop_accepting() {
    for (const auto& each : state_->listeners)
        each->stop();
    state_->listeners.clear();
}

void io_runner::flush_and_close_all(std::chrono::milliseconds deadline) {
    if (!state_->is_started)
        return;
    constexpr auto reason = "shutting down";
    auto& shared = *state_->shared;
    const auto until = std::chrono::steady_clock::now() + deadline;
    shared.is_closing = true;
    if (deadline.count() > 0) {
        for (const auto& thread : state_->threads)
            thread->post([thread, reason] { thread->close_all_after_flush(reason); });
        if (shared.admitted.wait_until_none(until))
            return;
    }
    for (const auto& thread : state_->threads)
        thread->post([thread, reason] { thread->close_all_now(reason); });
    (void)shared.admitted.wait_until_none(std::chrono::steady_clock::time_point::max());
}

network_usage io_runner::usage() const {
    const auto& shared = *state_->shared;
    return {.connections = shared.admitted.count(),
            .connections_accepted = shared.connections_accepted,
            .connections_refused = shared.connections_refused,
            .connections_expelled = shared.connections_expelled,
            .frames_received = shared.frames_received,
            .bytes_received = shared.bytes_received,
            .bytes_sent = shared.bytes_sent,
            .incoming_bytes = shared.incoming.used(),
            .outgoing_bytes = shared.outgoing.used()};
}

} // namespace holdfast::network
