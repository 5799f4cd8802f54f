#include "network/io_runner.hpp"

#include "protocol/limits.hpp"
#include "tests/network/frames.hpp"
#include "tests/network/loopback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fcntl.h>
#include <thread>

namespace holdfast::network {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using std::chrono_literals::operator""ms;

limits short_deadlines() {
    limits bounds;
    bounds.slow_frame_timeout = 60ms;
    bounds.idle_timeout = 10'000ms;
    return bounds;
}

TEST(io_runner, echoes_many_frames_of_one_read_in_order) {
    loopback_server server;
    test_client client{server.port()};
    std::string sent;
    for (std::size_t size = 18; size < 3000; size += 7)
        sent += frame_of(size, static_cast<char>('a' + size % 26));
    ASSERT_TRUE(client.write(sent));
    EXPECT_EQ(client.read(sent.size()), sent);
}

TEST(io_runner, joins_frames_that_come_in_pieces) {
    loopback_server server;
    test_client client{server.port()};
    const auto frame = frame_of(200);
    for (const char byte : frame)
        ASSERT_TRUE(client.write({&byte, 1}));
    EXPECT_EQ(client.read(frame.size()), frame);
}

TEST(io_runner, carries_the_longest_frame) {
    loopback_server server;
    test_client client{server.port()};
    const auto frame = frame_of(protocol::limits::max_frame_bytes);
    std::thread writer{[&] { EXPECT_TRUE(client.write(frame)); }};
    EXPECT_TRUE(client.read(frame.size()) == frame);
    writer.join();
}

TEST(io_runner, tells_who_the_peer_is) {
    loopback_server server;
    test_client client{server.port()};
    const auto connection = server.handler().only_connection();
    const auto port = client.socket().local_endpoint().port();
    EXPECT_EQ(connection->peer().ipv4, 0x7F000001U);
    EXPECT_EQ(connection->peer().port, port);
    EXPECT_EQ(connection->peer().text, "127.0.0.1:" + std::to_string(port));
    EXPECT_GT(connection->id().value(), 0U);
}

TEST(io_runner, closes_what_sends_too_long_a_frame_and_says_so) {
    loopback_server server;
    test_client client{server.port()};
    ASSERT_TRUE(client.write(prefix_of(protocol::limits::max_frame_bytes + 1)));
    EXPECT_TRUE(client.is_ended());
    EXPECT_THAT(server.handler().reason(), HasSubstr("over the limit"));
    EXPECT_EQ(server.runner().usage().connections_expelled, 1U);
}

TEST(io_runner, answers_what_came_before_garbage) {
    loopback_server server;
    test_client client{server.port()};
    ASSERT_TRUE(client.write(frame_of(50) + std::string(64, '\xEE')));
    EXPECT_FALSE(server.handler().reason().empty());
    EXPECT_EQ(server.handler().frame_count(), 1U);
}

TEST(io_runner, closes_strangers_with_a_helpful_reason) {
    loopback_server server;
    test_client client{server.port()};
    ASSERT_TRUE(client.write("GET /metrics HTTP/1.1\r\n\r\n"));
    EXPECT_THAT(server.handler().reason(), HasSubstr("HTTP"));
}

TEST(io_runner, closes_a_frame_that_is_not_complete_in_time) {
    loopback_server server{short_deadlines()};
    test_client client{server.port()};
    ASSERT_TRUE(client.write(frame_of(100).substr(0, 50)));
    EXPECT_TRUE(client.is_ended());
    EXPECT_THAT(server.handler().reason(), HasSubstr("not complete 60 ms after its first byte"));
}

// One byte now and then restarts no deadline.
TEST(io_runner, closes_a_client_that_trickles) {
    loopback_server server{short_deadlines()};
    test_client client{server.port()};
    const auto frame = frame_of(100'000);
    std::size_t next = 0;
    const auto until = std::chrono::steady_clock::now() + patience;
    while (server.handler().closed_count() == 0 && std::chrono::steady_clock::now() < until)
        (void)client.write(frame.substr(next++ % frame.size(), 1));
    EXPECT_THAT(server.handler().reason(), HasSubstr("not complete"));
}

TEST(io_runner, closes_an_idle_connection) {
    limits bounds;
    bounds.idle_timeout = 40ms;
    loopback_server server{bounds};
    test_client client{server.port()};
    EXPECT_TRUE(client.is_ended());
    EXPECT_THAT(server.handler().reason(), HasSubstr("no byte in either direction for 40 ms"));
}

TEST(io_runner, refuses_connections_over_the_limit_and_takes_them_again_later) {
    limits bounds;
    bounds.connections = 2;
    loopback_server server{bounds};
    test_client first{server.port()};
    test_client second{server.port()};
    server.handler().wait_for_open(2);
    test_client third{server.port()};
    EXPECT_TRUE(third.is_ended());
    EXPECT_EQ(server.runner().usage().connections_refused, 1U);
    first.close();
    EXPECT_EQ(server.handler().reason(), "closed by the client");
    // The place is free when the handler has been told and a moment later; so ask until it is given.
    const auto until = std::chrono::steady_clock::now() + patience;
    bool is_served = false;
    while (!is_served && std::chrono::steady_clock::now() < until) {
        test_client again{server.port()};
        (void)again.write(frame_of(30));
        is_served = again.read(30) == frame_of(30);
    }
    EXPECT_TRUE(is_served);
}

TEST(io_runner, bounds_the_connections_of_one_address) {
    limits bounds;
    bounds.connections_per_address = 1;
    loopback_server server{bounds};
    test_client first{server.port()};
    server.handler().wait_for_open(1);
    test_client second{server.port()};
    EXPECT_TRUE(second.is_ended());
    ASSERT_TRUE(first.write(frame_of(30)));
    EXPECT_EQ(first.read(30), frame_of(30));
}

TEST(io_runner, still_answers_a_client_that_has_closed_its_own_side) {
    loopback_server server;
    test_client client{server.port()};
    ASSERT_TRUE(client.write(frame_of(5000)));
    client.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send);
    EXPECT_EQ(client.read(5000), frame_of(5000));
    EXPECT_TRUE(client.is_ended());
    EXPECT_EQ(server.handler().reason(), "closed by the client");
}

TEST(io_runner, notices_a_reset) {
    loopback_server server;
    test_client client{server.port()};
    (void)server.handler().only_connection();
    client.reset_connection();
    EXPECT_THAT(server.handler().reason(), HasSubstr("connection lost"));
    EXPECT_EQ(server.runner().usage().connections_expelled, 0U);
}

TEST(io_runner, closes_on_request_with_the_first_reason) {
    loopback_server server;
    test_client client{server.port()};
    const auto connection = server.handler().only_connection();
    connection->close("first");
    connection->close("second");
    EXPECT_TRUE(client.is_ended());
    EXPECT_EQ(server.handler().reason(), "first");
    connection->send(shared_bytes::copy_of(as_bytes("too late")));
    connection->resume_reading();
    EXPECT_EQ(server.runner().usage().outgoing_bytes, 0U);
}

TEST(io_runner, writes_what_was_sent_before_close_after_flush) {
    echo_handler handler;
    std::atomic<bool> has_answered{false};
    handler.on_frames = [&](connection& from, frame_batch frames) {
        if (has_answered.exchange(true))
            return;
        from.send(frames.slice(0));
        from.close_after_flush("done");
    };
    loopback_server server{{}, &handler};
    test_client client{server.port()};
    const auto frame = frame_of(1'000'000);
    // Unread requests behind the last answer must not make the kernel drop it.
    ASSERT_TRUE(client.write(frame + frame_of(50)));
    EXPECT_TRUE(client.read(frame.size()) == frame);
    EXPECT_TRUE(client.is_ended());
    client.close();
    EXPECT_EQ(handler.reason(), "done");
}

TEST(io_runner, says_what_to_do_when_a_port_is_in_use) {
    loopback_server server;
    io_runner another{limits{}};
    echo_handler handler;
    const auto bound = another.listen("127.0.0.1", server.port(), handler);
    ASSERT_FALSE(bound);
    EXPECT_EQ(bound.failure().code, errc::unavailable);
    EXPECT_THAT(bound.failure().message,
                AllOf(HasSubstr("port " + std::to_string(server.port()) + " on 127.0.0.1 is in use"),
                      HasSubstr("listenPort")));
}

TEST(io_runner, refuses_an_address_that_is_not_this_machines) {
    io_runner runner{limits{}};
    echo_handler handler;
    EXPECT_EQ(runner.listen("203.0.113.1", 0, handler).failure().code, errc::invalid_argument);
    EXPECT_EQ(runner.listen("localhost", 0, handler).failure().code, errc::invalid_argument);
}

TEST(io_runner, listens_on_several_ports_with_several_threads) {
    limits bounds;
    bounds.io_threads = 3;
    echo_handler first;
    echo_handler second;
    io_runner runner{bounds};
    const auto first_port = *runner.listen("127.0.0.1", 0, first);
    const auto second_port = *runner.listen("127.0.0.1", 0, second);
    runner.start();
    std::vector<std::unique_ptr<test_client>> clients;
    for (int client = 0; client < 12; ++client)
        clients.push_back(std::make_unique<test_client>(client % 2 == 0 ? first_port : second_port));
    for (const auto& client : clients)
        ASSERT_TRUE(client->write(frame_of(100)));
    for (const auto& client : clients)
        EXPECT_EQ(client->read(100), frame_of(100));
    EXPECT_EQ(first.frame_count(), 6U);
    EXPECT_EQ(second.frame_count(), 6U);
}

TEST(io_runner, stops_accepting_and_keeps_what_is_connected) {
    loopback_server server;
    test_client client{server.port()};
    (void)server.handler().only_connection();
    server.runner().stop_accepting();
    ASSERT_TRUE(client.write(frame_of(100)));
    EXPECT_EQ(client.read(100), frame_of(100));
    // The closing of the port is on its way: once it is closed, connecting fails.
    const auto until = std::chrono::steady_clock::now() + patience;
    bool is_refused = false;
    while (!is_refused && std::chrono::steady_clock::now() < until) {
        try {
            test_client late{server.port()};
        } catch (const boost::system::system_error&) {
            is_refused = true;
        }
    }
    EXPECT_TRUE(is_refused);
}

TEST(io_runner, flushes_what_is_queued_before_it_closes_all) {
    echo_handler handler;
    const std::string answer(3'000'000, 'A');
    handler.on_frames = [&](connection& from, const frame_batch&) {
        from.send(shared_bytes::copy_of(as_bytes(answer)));
    };
    loopback_server server{{}, &handler};
    test_client client{server.port()};
    ASSERT_TRUE(client.write(frame_of(30)));
    handler.wait_for_frames(1);
    std::string received;
    std::thread reader{[&] {
        received = client.read(answer.size());
        client.close();
    }};
    server.runner().flush_and_close_all(patience);
    reader.join();
    EXPECT_TRUE(received == answer);
    EXPECT_EQ(handler.reason(), "shutting down");
    EXPECT_EQ(server.runner().usage().connections, 0U);
}

TEST(io_runner, closes_hard_what_does_not_finish_in_time) {
    echo_handler handler;
    handler.on_frames = [](connection& from, const frame_batch&) {
        from.send(shared_bytes::copy_of(as_bytes(std::string(30'000'000, 'A'))));
    };
    loopback_server server{{}, &handler};
    test_client never_reads{server.port()};
    ASSERT_TRUE(never_reads.write(frame_of(30)));
    handler.wait_for_frames(1);
    server.runner().flush_and_close_all(50ms);
    EXPECT_EQ(handler.closed_count(), 1U);
    EXPECT_EQ(server.runner().usage().outgoing_bytes, 0U);
}

TEST(io_runner, may_be_destroyed_while_somebody_holds_a_connection) {
    loopback_server server;
    test_client client{server.port()};
    const auto connection = server.handler().only_connection();
    server.destroy_runner();
    EXPECT_EQ(server.handler().reason(), "shutting down");
    connection->send(shared_bytes::copy_of(as_bytes("late")));
    connection->close("late");
    connection->close_after_flush("late");
    connection->resume_reading();
    EXPECT_TRUE(client.is_ended());
}

TEST(io_runner, may_be_destroyed_before_it_started) {
    echo_handler handler;
    io_runner runner{limits{}};
    EXPECT_TRUE(runner.listen("127.0.0.1", 0, handler));
}

// Takes all file descriptors of the process, so that accept fails, and gives them back.
TEST(io_runner, waits_and_recovers_when_file_descriptors_run_out) {
    loopback_server server;
    test_client before{server.port()};
    (void)server.handler().only_connection();
    boost::asio::io_context context;
    boost::asio::ip::tcp::socket late{context};
    late.open(boost::asio::ip::tcp::v4());
    rlimit old{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
    const int next_free = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(next_free, 0);
    ::close(next_free);
    const rlimit none{static_cast<rlim_t>(next_free), old.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    late.connect({boost::asio::ip::address_v4::loopback(), server.port()});
    ASSERT_TRUE(before.write(frame_of(30)));
    EXPECT_EQ(before.read(30), frame_of(30)) << "those who are connected notice nothing";
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
    server.handler().wait_for_open(2);
}

} // namespace
} // namespace holdfast::network
