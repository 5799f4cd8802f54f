// Clients that take without reading, or give without end: they lose their own connection, the others notice
// nothing, and memory stays bounded.
#include "protocol/limits.hpp"
#include "tests/network/frames.hpp"
#include "tests/network/loopback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace holdfast::network {
namespace {

using testing::HasSubstr;
using std::chrono_literals::operator""ms;
using clock = std::chrono::steady_clock;

limits small_queues() {
    limits bounds;
    bounds.outgoing_pause_bytes = 1U << 20U;
    bounds.outgoing_soft_bytes = 2U << 20U;
    bounds.outgoing_hard_bytes = 4U << 20U;
    bounds.slow_reader_timeout = 80ms;
    return bounds;
}

// Answers every frame with so many bytes.
echo_handler& answering(echo_handler& handler, std::size_t bytes) {
    const auto answer = shared_bytes::copy_of(as_bytes(std::string(bytes, 'A')));
    handler.on_frames = [answer](connection& from, const frame_batch& frames) {
        for (std::size_t index = 0; index < frames.size(); ++index)
            from.send(answer);
    };
    return handler;
}

TEST(backpressure, closes_a_client_whose_answers_pile_up_at_once) {
    echo_handler handler;
    loopback_server server{small_queues(), &answering(handler, 20U << 20U)};
    test_client client{server.port()};
    ASSERT_TRUE(client.write(frame_of(30)));
    EXPECT_THAT(handler.reason(), HasSubstr("does not read its answers"));
    EXPECT_EQ(server.runner().usage().outgoing_bytes, 0U);
}

TEST(backpressure, closes_a_client_that_stays_above_the_soft_limit) {
    auto bounds = small_queues();
    bounds.outgoing_hard_bytes = 1U << 30U;
    echo_handler handler;
    loopback_server server{bounds, &answering(handler, 20U << 20U)};
    test_client client{server.port()};
    ASSERT_TRUE(client.write(frame_of(30)));
    EXPECT_THAT(handler.reason(), HasSubstr("have been waiting for 80 ms"));
}

// 16 KiB echoed without reading: the server must stop reading long before the client has sent it all.
TEST(backpressure, reads_no_more_from_a_client_that_does_not_read) {
    auto bounds = small_queues();
    bounds.slow_reader_timeout = patience;
    loopback_server server{bounds};
    test_client client{server.port()};
    const auto frame = frame_of(16'000);
    std::atomic<std::size_t> sent{0};
    std::thread writer{[&] {
        for (int count = 0; count < 4000; ++count)
            if (client.write(frame))
                ++sent;
    }};
    // Two looks at a server that stands still: frames it has read do not grow any more while some are unsent.
    const auto until = clock::now() + patience;
    bool has_stalled = false;
    while (!has_stalled && clock::now() < until) {
        const auto before = server.handler().frame_count();
        const auto settle = clock::now() + 100ms;
        while (clock::now() < settle)
            std::this_thread::yield();
        has_stalled = before != 0 && server.handler().frame_count() == before;
    }
    EXPECT_TRUE(has_stalled);
    EXPECT_LT(server.handler().frame_count(), 4000U);
    EXPECT_LT(server.runner().usage().outgoing_bytes, 3U << 20U);
    // As soon as it reads, everything comes, and nothing is lost.
    for (int count = 0; count < 4000; ++count)
        ASSERT_TRUE(client.read(frame.size()) == frame) << count;
    writer.join();
    EXPECT_EQ(sent, 4000U);
}

TEST(backpressure, lets_the_handler_pause_and_resume) {
    echo_handler handler;
    std::atomic<bool> has_paused{false};
    handler.on_frames = [&](connection& from, frame_batch frames) {
        if (!has_paused.exchange(true))
            from.pause_reading();

        from.send(frames.slice(0));
    };
    loopback_server server{{}, &handler};
    test_client client{server.port()};
    ASSERT_TRUE(client.write(frame_of(30)));
    EXPECT_EQ(client.read(30), frame_of(30));
    ASSERT_TRUE(client.write(frame_of(31)));
    // A second client's answer shows that the io thread has been round since.
    test_client other{server.port()};
    ASSERT_TRUE(other.write(frame_of(40)));
    EXPECT_EQ(other.read(40), frame_of(40));
    EXPECT_EQ(handler.frame_count(), 2U) << "the second frame of the paused one must wait";
    other.close();
    EXPECT_EQ(handler.reason(), "closed by the client");
    handler.only_connection()->resume_reading();
    EXPECT_EQ(client.read(31), frame_of(31));
}

TEST(backpressure, does_not_blame_a_paused_client_for_a_slow_frame) {
    limits bounds;
    bounds.slow_frame_timeout = 40ms;
    echo_handler handler;
    handler.on_frames = [](connection& from, frame_batch frames) {
        from.pause_reading();
        from.send(frames.slice(0));
    };
    loopback_server server{bounds, &handler};
    test_client client{server.port()};
    ASSERT_TRUE(client.write(frame_of(30) + frame_of(50).substr(0, 20)));
    EXPECT_EQ(client.read(30), frame_of(30));
    // Another client is expelled for its slow frame meanwhile: the deadline has passed for both.
    test_client slow{server.port()};
    ASSERT_TRUE(slow.write(frame_of(50).substr(0, 20)));
    EXPECT_THAT(handler.reason(), HasSubstr("not complete"));
    ASSERT_TRUE(client.write(frame_of(50).substr(20)));
    handler.only_connection()->resume_reading();
    EXPECT_EQ(client.read(50), frame_of(50));
}

TEST(backpressure, bounds_the_memory_of_all_unfinished_frames_together) {
    limits bounds;
    bounds.incoming_bytes_total = 4U << 20U;
    loopback_server server{bounds};
    test_client honest{server.port()};
    std::vector<std::unique_ptr<test_client>> greedy;
    for (int count = 0; count < 4; ++count) {
        greedy.push_back(std::make_unique<test_client>(server.port()));
        (void)greedy.back()->write(prefix_of(protocol::limits::max_frame_bytes) +
                                   std::string(3'000'000, 'g'));
    }
    EXPECT_THAT(server.handler().reason(), HasSubstr("maxIncomingBytes"));
    ASSERT_TRUE(honest.write(frame_of(60'000)));
    EXPECT_EQ(honest.read(60'000), frame_of(60'000));
    // What a connection that was just closed had sent is given back a moment later.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{5};
    while (server.runner().usage().incoming_bytes > bounds.incoming_bytes_total &&
           std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    EXPECT_LE(server.runner().usage().incoming_bytes, bounds.incoming_bytes_total);
}

// Others' latency while some never read, some trickle and some claim frames that never come.
TEST(backpressure, costs_the_others_nothing) {
    auto bounds = small_queues();
    bounds.outgoing_hard_bytes = 1U << 30U;
    bounds.slow_reader_timeout = patience;
    loopback_server server{bounds};
    test_client honest{server.port()};
    const auto median_us = [&] {
        std::vector<double> took_us;
        for (int round = 0; round < 400; ++round) {
            const auto begun = clock::now();
            EXPECT_TRUE(honest.write(frame_of(1024)));
            EXPECT_EQ(honest.read(1024).size(), 1024U);
            took_us.push_back(std::chrono::duration<double, std::micro>(clock::now() - begun).count());
        }
        std::nth_element(took_us.begin(), took_us.begin() + 200, took_us.end());
        return took_us[200];
    };
    const auto alone_us = median_us();
    std::vector<std::unique_ptr<test_client>> nuisances;
    const auto frame = frame_of(64'000);
    for (int count = 0; count < 20; ++count) {
        nuisances.push_back(std::make_unique<test_client>(server.port()));
        auto& socket = nuisances.back()->socket();
        socket.non_blocking(true);
        boost::system::error_code full;
        while (!full && count % 2 == 0)
            socket.write_some(boost::asio::buffer(frame), full);
        socket.write_some(boost::asio::buffer(prefix_of(1'000'000)), full);
    }
    const auto beset_us = median_us();
    RecordProperty("median_us_alone", std::to_string(alone_us));
    RecordProperty("median_us_beset", std::to_string(beset_us));
    EXPECT_LT(beset_us, 10 * alone_us + 1000);
    EXPECT_LT(server.runner().usage().outgoing_bytes, 20 * (2U << 20U));
}

} // namespace
} // namespace holdfast::network
