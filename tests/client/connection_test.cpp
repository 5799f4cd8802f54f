#include "client/connection.hpp"
#include "client/runtime.hpp"
#include "protocol/heartbeat.hpp"
#include "tests/client/fake_broker.hpp"
#include "tests/client/fake_session.hpp"

#include <boost/asio/read.hpp>
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::client {
namespace {

using protocol::request_code;
using protocol::response_code;
using testing::fake_broker;
using ::testing::HasSubstr;
using testing::script_says;
using testing::seen_request;

// How a question ended: a code, or why there was no answer.
struct ending {
    int code = -1;
    std::optional<call_failure_kind> failure;
    std::string text;
    std::int64_t offset = -1;
};

class connection_to_a_fake : public ::testing::Test {
  protected:
    static client_options options_of(const std::string& address) {
        client_options options;
        options.name_servers = address;
        options.reconnect_first = std::chrono::milliseconds{5};
        options.reconnect_most = std::chrono::milliseconds{20};
        return options;
    }
    std::shared_ptr<connection> connect(client_options options) {
        client_ = std::make_unique<runtime>(std::move(options));
        client_->on_heartbeat({});
        EXPECT_TRUE(client_->start().ok());
        return client_->broker(client_->options().name_servers);
    }
    // Asks for the largest offset of queue `number`: the fake answers with how much it stored there.
    static std::future<ending> ask_end(connection& whom, std::uint32_t number,
                                       std::chrono::milliseconds timeout = std::chrono::seconds{10}) {
        auto told = std::make_shared<std::promise<ending>>();
        auto future = told->get_future();
        const protocol::get_max_offset_request request{.topic = "T", .queue = queue_number{number}};
        ask(whom, request, {}, timeout, [told](const call_outcome& outcome) {
            ending end;
            end.code = outcome.code();
            if (outcome.failure != nullptr) {
                end.failure = outcome.failure->kind;
                end.text = outcome.failure->text;
            } else if (const auto header = header_of<protocol::offset_response>(outcome)) {
                end.offset = header->offset.value();
            }
            told->set_value(end);
        });
        return future;
    }
    void fill(std::uint32_t queues) {
        for (std::uint32_t number = 0; number < queues; ++number)
            for (std::uint32_t count = 0; count < number; ++count)
                broker_->store("T", number, "x");
    }

    std::unique_ptr<fake_broker> broker_ = std::make_unique<fake_broker>();
    std::unique_ptr<runtime> client_; // goes first
};

TEST_F(connection_to_a_fake, matches_answers_in_any_order) {
    fill(20);
    broker_->on(request_code::get_max_offset, [&](const seen_request& request) {
        broker_->hold(request);
        return script_says::stay_silent;
    });
    for (const auto headers : {header_format::binary, header_format::json}) {
        auto options = options_of(broker_->address());
        options.headers = headers;
        const auto connection = connect(std::move(options));
        std::vector<std::future<ending>> endings;
        std::vector<std::size_t> backwards;
        for (std::uint32_t number = 0; number < 20; ++number) {
            endings.push_back(ask_end(*connection, number));
            backwards.insert(backwards.begin(), number);
        }
        ASSERT_TRUE(broker_->wait_until([&] { return broker_->held() == 20; }));
        EXPECT_EQ(connection->requests_in_flight(), 20U);
        broker_->release(backwards);
        for (std::uint32_t number = 0; number < 20; ++number)
            EXPECT_EQ(endings[number].get().offset, number);
        EXPECT_EQ(connection->requests_in_flight(), 0U);
    }
}

TEST_F(connection_to_a_fake, times_a_request_out_and_ignores_the_late_answer) {
    fill(3);
    broker_->on(request_code::get_max_offset, [&](const seen_request& request) {
        if (request.number > 1)
            return script_says::serve;
        broker_->hold(request);
        return script_says::stay_silent;
    });
    const auto connection = connect(options_of(broker_->address()));
    const auto late = ask_end(*connection, 2, std::chrono::milliseconds{20}).get();
    EXPECT_EQ(late.failure, call_failure_kind::timed_out);
    EXPECT_THAT(late.text, HasSubstr(broker_->address()));
    broker_->release({0});
    EXPECT_EQ(ask_end(*connection, 1).get().offset, 1) << "the connection goes on";
}

TEST_F(connection_to_a_fake, times_out_while_it_connects) {
    // A listener whose backlog nobody accepts from: the connection may come about, an answer never.
    boost::asio::io_context io;
    boost::asio::ip::tcp::acceptor deaf{
        io, boost::asio::ip::tcp::endpoint{boost::asio::ip::address_v4::loopback(), 0}};
    const auto connection = connect(options_of("127.0.0.1:" + std::to_string(deaf.local_endpoint().port())));
    EXPECT_EQ(ask_end(*connection, 0, std::chrono::milliseconds{20}).get().failure,
              call_failure_kind::timed_out);
}

TEST_F(connection_to_a_fake, fails_everything_in_flight_at_a_loss_and_connects_again) {
    fill(2);
    broker_->on(request_code::get_max_offset, [&](const seen_request& request) {
        return request.number < 3    ? script_says::stay_silent
               : request.number == 3 ? script_says::close
                                     : script_says::serve;
    });
    const auto connection = connect(options_of(broker_->address()));
    std::vector<std::future<ending>> endings;
    for (std::uint32_t number = 0; number < 3; ++number)
        endings.push_back(ask_end(*connection, number));
    for (auto& each : endings)
        EXPECT_EQ(each.get().failure, call_failure_kind::connection_lost);
    EXPECT_EQ(ask_end(*connection, 1).get().offset, 1);
}

TEST_F(connection_to_a_fake, says_unreachable_when_nobody_listens_and_recovers) {
    const std::uint16_t port = broker_->port();
    const std::string address = broker_->address();
    broker_.reset();
    const auto connection = connect(options_of(address));
    const auto end = ask_end(*connection, 1).get();
    EXPECT_EQ(end.failure, call_failure_kind::unreachable);
    EXPECT_THAT(end.text, HasSubstr(address));
    broker_ = std::make_unique<fake_broker>(port);
    fill(2);
    EXPECT_EQ(ask_end(*connection, 1).get().offset, 1);
}

TEST_F(connection_to_a_fake, bounds_what_is_in_flight) {
    broker_->on(request_code::get_max_offset, [](const seen_request&) { return script_says::stay_silent; });
    auto options = options_of(broker_->address());
    options.max_requests_in_flight = 2;
    const auto connection = connect(std::move(options));
    auto first = ask_end(*connection, 0);
    auto second = ask_end(*connection, 0);
    EXPECT_EQ(ask_end(*connection, 0).get().failure, call_failure_kind::full);
    client_->stop();
    EXPECT_EQ(first.get().failure, call_failure_kind::closed);
    EXPECT_EQ(second.get().failure, call_failure_kind::closed);
    EXPECT_EQ(ask_end(*connection, 0).get().failure, call_failure_kind::closed);
}

TEST_F(connection_to_a_fake, bounds_the_bytes_that_are_not_written) {
    const std::string address = broker_->address();
    broker_.reset(); // nothing can be written
    auto options = options_of(address);
    options.max_bytes_unwritten = 10'000;
    options.reconnect_first = std::chrono::seconds{10};
    const auto connection = connect(std::move(options));
    EXPECT_EQ(ask_end(*connection, 0).get().failure, call_failure_kind::unreachable);
    std::optional<call_failure> refused;
    int queued = 0;
    while (!refused && queued < 1'000) {
        ++queued;
        refused = connection->start_oneway([](byte_buffer& out, const protocol::call& how) {
            protocol::append_request(out, how, protocol::heart_beat_request{},
                                     as_bytes(std::string(1'000, 'x')));
        });
    }
    ASSERT_TRUE(refused.has_value());
    EXPECT_EQ(refused->kind, call_failure_kind::full);
    EXPECT_LE(queued, 12);
}

TEST_F(connection_to_a_fake, answers_a_brokers_unknown_request_with_code_3_unless_it_is_oneway) {
    const auto connection = connect(options_of(broker_->address()));
    client_->on_heartbeat({});
    ASSERT_EQ(ask_end(*connection, 0).get().code, 0);
    // A consumer group of one makes the fake know whom to ask.
    protocol::heartbeat beat{.client_id = "c", .producer_groups = {}, .consumers = {}};
    beat.consumers.push_back({.group = "G", .subscriptions = {}});
    const std::string body = protocol::encode_heartbeat(beat);
    std::promise<void> registered;
    ask(*connection, protocol::heart_beat_request{}, as_bytes(body), std::chrono::seconds{10},
        [&](const call_outcome&) { registered.set_value(); });
    registered.get_future().wait();
    using running_info = protocol::consumer_group_request<request_code::get_consumer_running_info>;
    broker_->tell_group("G", running_info{.consumer_group = "G"}, true);
    broker_->tell_group("G", running_info{.consumer_group = "G"}, false);
    ASSERT_TRUE(broker_->wait_until([&] { return !broker_->answers().empty(); }));
    EXPECT_THAT(broker_->answers(), ::testing::ElementsAre(3));
}

TEST_F(connection_to_a_fake, gives_up_on_a_peer_that_speaks_something_else) {
    boost::asio::io_context io;
    boost::asio::ip::tcp::acceptor web{
        io, boost::asio::ip::tcp::endpoint{boost::asio::ip::address_v4::loopback(), 0}};
    std::thread server{[&] {
        boost::asio::ip::tcp::socket peer{io};
        web.accept(peer);
        boost::asio::write(peer, boost::asio::buffer(std::string{"HTTP/1.1 400 Bad Request\r\n\r\n"}));
        std::array<char, 1> byte{};
        boost::system::error_code end;
        while (!end)
            boost::asio::read(peer, boost::asio::buffer(byte), end);
    }};
    const auto connection = connect(options_of("127.0.0.1:" + std::to_string(web.local_endpoint().port())));
    const auto end = ask_end(*connection, 0).get();
    EXPECT_EQ(end.failure, call_failure_kind::connection_lost);
    EXPECT_THAT(end.text, HasSubstr("does not speak RocketMQ's protocol"));
    server.join();
}

// Threads that ask as fast as they can, while the peer drops the connection now and then: every question ends
// exactly once.
TEST_F(connection_to_a_fake, ends_every_question_exactly_once) {
    fill(8);
    broker_->on(request_code::get_max_offset, [](const seen_request& request) {
        return request.number % 701 == 0  ? script_says::close
               : request.number % 97 == 0 ? script_says::stay_silent
                                          : script_says::serve;
    });
    const auto connection = connect(options_of(broker_->address()));
    std::atomic<int> right{0};
    std::atomic<int> failed{0};
    std::vector<std::thread> askers;
    for (int thread = 0; thread < 3; ++thread)
        askers.emplace_back([&, thread] {
            for (std::uint32_t round = 0; round < 60; ++round) {
                std::vector<std::future<ending>> endings;
                for (std::uint32_t each = 0; each < 16; ++each)
                    endings.push_back(
                        ask_end(*connection, (each + thread) % 8, std::chrono::milliseconds{50}));
                for (std::uint32_t each = 0; each < 16; ++each) {
                    const auto end = endings[each].get();
                    if (end.failure)
                        ++failed;
                    else if (end.offset == (each + thread) % 8)
                        ++right;
                }
            }
        });
    for (std::thread& each : askers)
        each.join();
    EXPECT_EQ(right + failed, 3 * 60 * 16);
    EXPECT_GT(right, 3 * 60 * 16 / 2);
    EXPECT_EQ(connection->requests_in_flight(), 0U);
}

} // namespace
} // namespace holdfast::client
