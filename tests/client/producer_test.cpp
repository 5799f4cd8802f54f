#include "client/compression.hpp"
#include "client/producer.hpp"
#include "protocol/message_id.hpp"
#include "tests/client/fake_broker.hpp"

#include <atomic>
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

namespace holdfast::client {
namespace {

using protocol::request_code;
using protocol::response_code;
using ::testing::ElementsAre;
using testing::fake_broker;
using ::testing::HasSubstr;
using testing::script_says;
using testing::seen_request;
using ::testing::UnorderedElementsAre;

class producer_at_a_fake : public ::testing::Test {
  protected:
    producer_options options() const {
        producer_options all;
        all.client.name_servers = broker_->address();
        all.client.reconnect_first = std::chrono::milliseconds{5};
        all.client.reconnect_most = std::chrono::milliseconds{20};
        all.send_timeout = std::chrono::seconds{10};
        return all;
    }
    producer& start(producer_options with) {
        producer_ = std::make_unique<producer>(std::move(with));
        const auto started = producer_->start();
        EXPECT_TRUE(started.ok());
        return *producer_;
    }
    producer& start() { return start(options()); }
    static message hello(std::string body = "hello") {
        return {.topic = "T", .body = std::move(body), .tag = {}, .keys = {}};
    }
    // Answers the first `times` sends with a code.
    void refuse_first(int times, response_code code) {
        broker_->on(request_code::send_message_v2, [=](const seen_request& request) {
            if (request.number > times)
                return script_says::serve;
            fake_broker::refuse(request, code, "no, said the script");
            return script_says::stay_silent;
        });
    }
    int sends() const { return broker_->count(request_code::send_message_v2); }

    std::unique_ptr<fake_broker> broker_ = std::make_unique<fake_broker>();
    std::unique_ptr<producer> producer_; // goes first
};

TEST_F(producer_at_a_fake, sends_and_gives_a_receipt) {
    broker_->add_topic("T", 4);
    auto outgoing = hello();
    outgoing.tag = "blue";
    outgoing.keys = "k1";
    const auto sent = start().send(outgoing);
    ASSERT_TRUE(sent.ok()) << sent.failure().message;
    EXPECT_EQ(sent.receipt().broker_name, "fake-broker");
    EXPECT_EQ(sent.receipt().offset.value(), 0);
    EXPECT_EQ(sent.receipt().message_id.size(), 32U);
    EXPECT_TRUE(protocol::parse_message_id(sent.receipt().offset_message_id).ok());
    EXPECT_THAT(broker_->bodies("T"), ElementsAre("hello"));
    EXPECT_THAT(broker_->properties("T"),
                ElementsAre("KEYS\1k1\2UNIQ_KEY\1" + sent.receipt().message_id + "\2TAGS\1blue\2"));
}

// Sends made before the route is known must not be overtaken by those made after.
TEST_F(producer_at_a_fake, keeps_the_order_of_sends_while_the_route_is_asked_for) {
    for (int round = 0; round < 20; ++round) {
        const std::string topic = "T" + std::to_string(round);
        broker_->add_topic(topic, 2);
        auto& orders = producer_ ? *producer_ : start();
        std::atomic<int> left{500};
        std::promise<void> all;
        std::vector<std::string> expected;
        for (int number = 0; number < 500; ++number) {
            expected.push_back(std::to_string(number));
            message outgoing = hello(expected.back());
            outgoing.topic = topic;
            orders.send_async(
                std::move(outgoing),
                [](std::span<const message_queue>, const message&) { return std::size_t{0}; },
                [&](const send_result& sent) {
                    EXPECT_TRUE(sent.ok());
                    if (--left == 0)
                        all.set_value();
                });
        }
        ASSERT_EQ(all.get_future().wait_for(std::chrono::seconds{20}), std::future_status::ready);
        ASSERT_EQ(broker_->bodies(topic), expected);
    }
}

TEST_F(producer_at_a_fake, speaks_json_as_well) {
    broker_->add_topic("T", 1);
    auto with = options();
    with.client.headers = header_format::json;
    const auto sent = start(with).send(hello("with \"quotes\" and \n lines"));
    ASSERT_TRUE(sent.ok()) << sent.failure().message;
    EXPECT_THAT(broker_->bodies("T"), ElementsAre("with \"quotes\" and \n lines"));
}

TEST_F(producer_at_a_fake, goes_round_the_queues) {
    broker_->add_topic("T", 4);
    start();
    for (int count = 0; count < 8; ++count)
        ASSERT_TRUE(producer_->send(hello()).ok());
    for (std::uint32_t queue = 0; queue < 4; ++queue)
        EXPECT_EQ(broker_->stored("T", queue), 2U);
}

TEST_F(producer_at_a_fake, creates_an_unknown_topic_with_its_first_message) {
    start();
    const auto sent = producer_->send(hello());
    ASSERT_TRUE(sent.ok()) << sent.failure().message;
    EXPECT_EQ(producer_->queues("T")->size(), 4U);
    // The provisional route is replaced by the topic's own as soon as a message is through.
    ASSERT_TRUE(
        broker_->wait_until([&] { return broker_->count(request_code::get_route_info_by_topic) >= 3; }));
}

TEST_F(producer_at_a_fake, says_no_route_when_topics_are_not_created_by_sending) {
    broker_->on(request_code::get_route_info_by_topic, [](const seen_request& request) {
        fake_broker::refuse(request, response_code::topic_not_exist, "none");
        return script_says::stay_silent;
    });
    const auto sent = start().send(hello());
    ASSERT_FALSE(sent.ok());
    EXPECT_EQ(sent.failure().kind, send_error_kind::no_route);
    EXPECT_THAT(sent.failure().message, HasSubstr("topic create"));
    EXPECT_FALSE(sent.failure().may_be_stored());
}

TEST_F(producer_at_a_fake, says_so_when_a_topic_is_read_only) {
    broker_->add_topic("T", 4, protocol::permission::read);
    const auto sent = start().send(hello());
    ASSERT_FALSE(sent.ok());
    EXPECT_EQ(sent.failure().kind, send_error_kind::no_route);
    EXPECT_THAT(sent.failure().message, HasSubstr("permission"));
}

TEST_F(producer_at_a_fake, tries_the_retryable_codes_on_other_queues_with_the_same_id) {
    broker_->add_topic("T", 4);
    std::set<std::string> queues;
    std::set<std::string> ids;
    broker_->on(request_code::send_message_v2, [&](const seen_request& request) {
        queues.emplace(*request.command.find("e"));
        ids.emplace(*request.command.find("i"));
        if (request.number == 3)
            return script_says::serve;
        fake_broker::refuse(request, response_code::service_not_available, "not now");
        return script_says::stay_silent;
    });
    const auto sent = start().send(hello());
    ASSERT_TRUE(sent.ok()) << sent.failure().message;
    EXPECT_EQ(queues.size(), 3U);
    EXPECT_THAT(ids, ElementsAre("UNIQ_KEY\1" + sent.receipt().message_id + "\2"));
}

TEST_F(producer_at_a_fake, gives_up_after_one_and_two_tries) {
    broker_->add_topic("T", 4);
    refuse_first(100, response_code::system_error);
    const auto sent = start().send(hello());
    ASSERT_FALSE(sent.ok());
    EXPECT_EQ(sent.failure().kind, send_error_kind::refused);
    EXPECT_EQ(sent.failure().response_code, 1);
    EXPECT_THAT(sent.failure().message, HasSubstr("no, said the script"));
    EXPECT_EQ(sends(), 3);
}

TEST_F(producer_at_a_fake, does_not_repeat_what_would_not_help) {
    broker_->add_topic("T", 4);
    for (const auto code : {response_code::system_busy, response_code::message_illegal}) {
        const int before = sends();
        refuse_first(100, code);
        const auto sent = start().send(hello());
        ASSERT_FALSE(sent.ok());
        EXPECT_EQ(sent.failure().response_code, static_cast<int>(code));
        EXPECT_EQ(sends(), before + 1);
    }
}

// Trap T6: 10, 11 and 12 look like success to applications; here they are errors that say what they are.
TEST_F(producer_at_a_fake, never_calls_an_unconfirmed_message_sent) {
    broker_->add_topic("T", 4);
    for (const int code : {10, 11, 12}) {
        const int before = sends();
        refuse_first(100, static_cast<response_code>(code));
        const auto sent = start().send(hello());
        ASSERT_FALSE(sent.ok());
        EXPECT_EQ(sent.failure().kind, send_error_kind::stored_but_not_confirmed);
        EXPECT_EQ(sent.failure().response_code, code);
        EXPECT_TRUE(sent.failure().may_be_stored());
        EXPECT_EQ(sends(), before + 1) << "sending again would store a second copy";
    }
}

TEST_F(producer_at_a_fake, sends_again_over_a_new_connection) {
    broker_->add_topic("T", 4);
    broker_->on(request_code::send_message_v2, [](const seen_request& request) {
        return request.number <= 2 ? script_says::close : script_says::serve;
    });
    const auto sent = start().send(hello());
    ASSERT_TRUE(sent.ok()) << sent.failure().message;
    EXPECT_EQ(sends(), 3);
}

TEST_F(producer_at_a_fake, survives_a_restart_of_the_broker) {
    broker_->add_topic("T", 4);
    auto with = options();
    with.retries = 1'000; // within the send timeout
    start(with);
    ASSERT_TRUE(producer_->send(hello("before")).ok());
    const auto port = broker_->port();
    broker_.reset();
    std::promise<bool> arrived;
    producer_->send_async(hello("after"), [&](const send_result& sent) { arrived.set_value(sent.ok()); });
    broker_ = std::make_unique<fake_broker>(port);
    broker_->add_topic("T", 4);
    EXPECT_TRUE(arrived.get_future().get());
    producer_->shutdown();
    EXPECT_THAT(broker_->bodies("T"), ElementsAre("after"));
}

TEST_F(producer_at_a_fake, says_unreachable_when_there_is_no_name_server) {
    auto with = options();
    broker_.reset();
    const auto sent = start(with).send(hello());
    ASSERT_FALSE(sent.ok());
    EXPECT_EQ(sent.failure().kind, send_error_kind::unreachable);
    EXPECT_FALSE(sent.failure().may_be_stored());
}

TEST_F(producer_at_a_fake, times_out_and_says_that_it_may_be_stored) {
    broker_->add_topic("T", 4);
    broker_->on(request_code::send_message_v2, [](const seen_request&) { return script_says::stay_silent; });
    auto with = options();
    with.send_timeout = std::chrono::milliseconds{100};
    const auto sent = start(with).send(hello());
    ASSERT_FALSE(sent.ok());
    EXPECT_EQ(sent.failure().kind, send_error_kind::timed_out);
    EXPECT_TRUE(sent.failure().may_be_stored());
}

TEST_F(producer_at_a_fake, keeps_many_in_flight_and_matches_every_answer) {
    broker_->add_topic("T", 4);
    start();
    constexpr int total = 2'000;
    std::mutex mutex;
    std::set<std::pair<std::uint32_t, std::int64_t>> places;
    std::promise<void> all;
    for (int number = 0; number < total; ++number)
        producer_->send_async(hello(std::to_string(number)), [&](const send_result& sent) {
            const std::lock_guard lock{mutex};
            ASSERT_TRUE(sent.ok()) << sent.failure().message;
            places.emplace(sent.receipt().queue.value(), sent.receipt().offset.value());
            if (places.size() == total)
                all.set_value();
        });
    ASSERT_EQ(all.get_future().wait_for(std::chrono::seconds{20}), std::future_status::ready);
    producer_->shutdown(); // before what its callbacks use
    EXPECT_EQ(broker_->bodies("T").size(), static_cast<std::size_t>(total));
    EXPECT_EQ(producer_->in_flight(), 0U);
}

TEST_F(producer_at_a_fake, refuses_beyond_its_bound_when_told_to_fail) {
    broker_->add_topic("T", 1);
    broker_->on(request_code::send_message_v2, [&](const seen_request& request) {
        broker_->hold(request);
        return script_says::stay_silent;
    });
    auto with = options();
    with.max_in_flight = 2;
    with.full = when_full::fail;
    start(with);
    std::vector<std::promise<send_result>> results(3);
    for (auto& each : results)
        producer_->send_async(hello(), [&](const send_result& sent) { each.set_value(sent); });
    const auto third = results[2].get_future().get();
    ASSERT_FALSE(third.ok());
    EXPECT_EQ(third.failure().kind, send_error_kind::too_many_in_flight);
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->held() == 2; }));
    broker_->release({1, 0});
    EXPECT_TRUE(results[0].get_future().get().ok());
    EXPECT_TRUE(results[1].get_future().get().ok());
    producer_->shutdown();
}

TEST_F(producer_at_a_fake, waits_for_room_when_told_to_block) {
    broker_->add_topic("T", 1);
    broker_->on(request_code::send_message_v2, [&](const seen_request& request) {
        if (request.number > 1)
            return script_says::serve;
        broker_->hold(request);
        return script_says::stay_silent;
    });
    auto with = options();
    with.max_in_flight = 1;
    start(with);
    std::promise<send_result> first;
    producer_->send_async(hello("first"), [&](const send_result& sent) { first.set_value(sent); });
    std::thread second{[&] { EXPECT_TRUE(producer_->send(hello("second")).ok()); }};
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->held() == 1; }));
    EXPECT_EQ(sends(), 1);
    broker_->release({0});
    second.join();
    EXPECT_TRUE(first.get_future().get().ok());
    EXPECT_THAT(broker_->bodies("T"), ElementsAre("first", "second"));
    producer_->shutdown();
}

TEST_F(producer_at_a_fake, stores_a_batch_in_one_queue_in_order) {
    broker_->add_topic("T", 4);
    const std::vector<message> batch{hello("1"), hello("2"), hello("3")};
    const auto sent = start().send_batch(batch);
    ASSERT_TRUE(sent.ok()) << sent.failure().message;
    EXPECT_EQ(broker_->stored("T", sent.receipt().queue.value()), 3U);
    EXPECT_THAT(broker_->bodies("T"), ElementsAre("1", "2", "3"));
    EXPECT_EQ(broker_->count(request_code::send_batch_message), 1);
}

TEST_F(producer_at_a_fake, sends_oneway_without_an_answer) {
    broker_->add_topic("T", 1);
    bool flagged = false;
    broker_->on(request_code::send_message_v2, [&](const seen_request& request) {
        flagged = request.command.is_oneway();
        return script_says::serve;
    });
    ASSERT_TRUE(start().send_oneway(hello()).ok());
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->stored("T", 0) == 1; }));
    EXPECT_TRUE(flagged);
}

TEST_F(producer_at_a_fake, keeps_to_the_selected_queue_over_retries) {
    broker_->add_topic("T", 4);
    refuse_first(2, response_code::service_not_available);
    const queue_selector by_key = [](std::span<const message_queue> queues, const message& outgoing) {
        return std::stoul(outgoing.keys) % queues.size();
    };
    auto outgoing = hello();
    outgoing.keys = "7";
    const auto sent = start().send(outgoing, by_key);
    ASSERT_TRUE(sent.ok()) << sent.failure().message;
    EXPECT_EQ(sent.receipt().queue.value(), 3U);
    const auto wrong = producer_->send(hello(), [](auto queues, const message&) { return queues.size(); });
    ASSERT_FALSE(wrong.ok());
    EXPECT_EQ(wrong.failure().kind, send_error_kind::invalid);
}

TEST_F(producer_at_a_fake, compresses_large_bodies) {
    broker_->add_topic("T", 1);
    const std::string body(50'000, 'x');
    ASSERT_TRUE(start().send(hello(body)).ok());
    const auto stored = broker_->bodies("T").at(0);
    EXPECT_LT(stored.size(), body.size());
    EXPECT_EQ(*inflate_text(stored), body);
}

TEST_F(producer_at_a_fake, refuses_invalid_messages_without_sending) {
    broker_->add_topic("T", 1);
    auto bad = hello();
    bad.body.clear();
    const auto sent = start().send(bad);
    ASSERT_FALSE(sent.ok());
    EXPECT_EQ(sent.failure().kind, send_error_kind::invalid);
    EXPECT_EQ(sends(), 0);
}

TEST_F(producer_at_a_fake, refuses_a_synchronous_send_from_a_callback) {
    broker_->add_topic("T", 1);
    start();
    std::promise<send_error_kind> inner;
    producer_->send_async(hello(), [&](const send_result&) {
        const auto sent = producer_->send(hello());
        inner.set_value(sent.ok() ? send_error_kind::refused : sent.failure().kind);
    });
    EXPECT_EQ(inner.get_future().get(), send_error_kind::invalid);
    producer_->shutdown();
}

TEST_F(producer_at_a_fake, sends_the_next_message_from_a_callback) {
    broker_->add_topic("T", 1);
    auto with = options();
    with.max_in_flight = 1;
    start(with);
    std::promise<void> done;
    int left = 100;
    std::function<void()> next = [&] {
        producer_->send_async(hello(), [&](const send_result& sent) {
            EXPECT_TRUE(sent.ok());
            --left > 0 ? next() : done.set_value();
        });
    };
    next();
    ASSERT_EQ(done.get_future().wait_for(std::chrono::seconds{20}), std::future_status::ready);
    producer_->shutdown();
    EXPECT_EQ(broker_->stored("T", 0), 100U);
}

TEST_F(producer_at_a_fake, heartbeats_and_says_goodbye) {
    broker_->add_topic("T", 1);
    std::string beat;
    broker_->on(request_code::heart_beat, [&](const seen_request& request) {
        beat = as_text(request.command.body());
        return script_says::serve;
    });
    std::string left;
    broker_->on(request_code::unregister_client, [&](const seen_request& request) {
        left = request.command.find("producerGroup").value_or("");
        return script_says::serve;
    });
    auto with = options();
    with.group = "PG";
    ASSERT_TRUE(start(with).send(hello()).ok());
    producer_->shutdown();
    EXPECT_THAT(beat, HasSubstr(R"("producerDataSet":[{"groupName":"PG"}])"));
    EXPECT_THAT(beat, HasSubstr(producer_->client_id()));
    EXPECT_EQ(left, "PG");
    const auto late = producer_->send(hello());
    ASSERT_FALSE(late.ok());
    EXPECT_EQ(late.failure().kind, send_error_kind::shut_down);
}

TEST_F(producer_at_a_fake, waits_for_its_answers_when_it_shuts_down) {
    broker_->add_topic("T", 1);
    broker_->on(request_code::send_message_v2, [&](const seen_request& request) {
        broker_->hold(request);
        return script_says::stay_silent;
    });
    start();
    std::atomic<int> answered{0};
    for (int count = 0; count < 3; ++count)
        producer_->send_async(hello(), [&](const send_result& sent) { answered += sent.ok() ? 1 : 100; });
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->held() == 3; }));
    std::thread closer{[&] { producer_->shutdown(); }};
    broker_->release({2, 0, 1});
    closer.join();
    EXPECT_EQ(answered, 3);
}

TEST_F(producer_at_a_fake, refuses_senseless_options) {
    auto with = options();
    with.group = "no spaces";
    EXPECT_FALSE(producer{with}.start().ok());
    with = options();
    with.client.name_servers = "nonsense";
    EXPECT_FALSE(producer{with}.start().ok());
    with = options();
    with.max_in_flight = 0;
    EXPECT_FALSE(producer{with}.start().ok());
}

// The second name server answers when the first is not there.
TEST_F(producer_at_a_fake, asks_the_next_name_server) {
    broker_->add_topic("T", 1);
    std::string nobody;
    {
        const fake_broker gone;
        nobody = gone.address();
    }
    auto with = options();
    with.client.name_servers = nobody + ";" + broker_->address();
    EXPECT_TRUE(start(with).send(hello()).ok());
}

} // namespace
} // namespace holdfast::client
