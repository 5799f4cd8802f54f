// What the network room costs by itself: requests/s over one loopback connection, at 1, 16, 64 and 1024
// outstanding. The client thread and the io thread share the machine, as in measured.md.
//
// answer_bytes 1024 echoes the frame, 32 answers as a send is answered. hop 1 answers from another thread, as
// sessions do, one answer for the whole batch.
#include <utility> // Boost 1.74's Asio uses std::exchange without including it

#include "base/byte_buffer.hpp"
#include "network/frame_handler.hpp"
#include "network/io_runner.hpp"

#include <benchmark/benchmark.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace holdfast::network {
namespace {

std::string frame_of(std::size_t size) {
    constexpr std::string_view header = R"({"code":1})";
    byte_buffer bytes;
    bytes.append_big(static_cast<std::uint32_t>(size - 4));
    bytes.append_big(static_cast<std::uint32_t>(header.size()));
    bytes.append(header);
    bytes.append(std::string(size - bytes.size(), 'b'));
    return std::string{as_text(bytes.view())};
}

// Answers every frame of a batch with one frame of so many bytes, all in one piece.
class answering_handler : public frame_handler {
  public:
    answering_handler(std::size_t answer_bytes, bool hops) : answer_(frame_of(answer_bytes)), hops_(hops) {
        if (hops_)
            session_ = std::thread{[this] { run_session(); }};
    }
    ~answering_handler() override {
        if (!hops_)
            return;
        {
            const std::lock_guard guard{mutex_};
            is_done_ = true;
        }
        changed_.notify_one();
        session_.join();
    }

    void connection_opened(std::shared_ptr<connection> opened) override { only_ = std::move(opened); }
    void connection_closed(connection_id, std::string_view) override {}
    void frames_received(connection& from, frame_batch frames) override {
        if (!hops_) {
            answer(from, frames);
            return;
        }
        {
            const std::lock_guard guard{mutex_};
            waiting_.push_back(std::move(frames));
        }
        changed_.notify_one();
    }

  private:
    void answer(connection& to, const frame_batch& frames) {
        byte_buffer answers{frames.size() * answer_.size()};
        for (std::size_t index = 0; index < frames.size(); ++index)
            answers.append(answer_);
        to.send(answers.release());
    }

    void run_session() {
        std::unique_lock lock{mutex_};
        for (;;) {
            changed_.wait(lock, [&] { return is_done_ || !waiting_.empty(); });
            if (is_done_)
                return;
            const auto batches = std::exchange(waiting_, {});
            lock.unlock();
            for (const auto& batch : batches)
                answer(*only_, batch);
            lock.lock();
        }
    }

    const std::string answer_;
    const bool hops_;
    std::shared_ptr<connection> only_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<frame_batch> waiting_;
    bool is_done_ = false;
    std::thread session_;
};

void pipelined(benchmark::State& state) {
    const auto outstanding = static_cast<std::size_t>(state.range(0));
    const auto answer_bytes = static_cast<std::size_t>(state.range(1));
    answering_handler handler{answer_bytes, state.range(2) != 0};
    io_runner runner{limits{}};
    const auto port = *runner.listen("127.0.0.1", 0, handler);
    runner.start();
    boost::asio::io_context context;
    boost::asio::ip::tcp::socket socket{context};
    socket.connect({boost::asio::ip::address_v4::loopback(), port});
    socket.set_option(boost::asio::ip::tcp::no_delay{true});

    std::string requests;
    const auto request = frame_of(1024);
    for (std::size_t count = 0; count < outstanding; ++count)
        requests += request;
    std::vector<char> answers(1U << 20U);
    const auto send = [&](std::size_t count) {
        boost::asio::write(socket, boost::asio::buffer(requests.data(), count * request.size()));
    };
    send(outstanding);
    std::size_t answered = 0;
    std::size_t partial = 0;
    for (auto _ : state) {
        const auto bytes = partial + socket.read_some(boost::asio::buffer(answers));
        const auto count = bytes / answer_bytes;
        partial = bytes % answer_bytes;
        answered += count;
        if (count != 0)
            send(count);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(answered));
    socket.close();
    runner.flush_and_close_all(std::chrono::milliseconds{0});
}

BENCHMARK(pipelined)
    ->ArgNames({"outstanding", "answer_bytes", "hop"})
    ->ArgsProduct({{1, 16, 64, 1024}, {32, 1024}, {0, 1}})
    ->UseRealTime()
    ->MinTime(1.0);

} // namespace
} // namespace holdfast::network
