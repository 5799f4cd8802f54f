// What becomes of messages that a listener did not acknowledge (protocol reference 6.5).
#include "tests/client/consumer_fixture.hpp"

#include <optional>
#include <thread>

namespace holdfast::client {
namespace {

using protocol::request_code;
using protocol::response_code;
using testing::consumer_at_a_fake;
using ::testing::ElementsAre;
using testing::fake_broker;
using ::testing::IsEmpty;
using testing::script_says;
using testing::seen_request;

class consumer_retries : public consumer_at_a_fake {
  protected:
    consumer_retries() {
        broker_->add_topic("T", 1);
        broker_->set_committed("G", "T", 0, 0);
    }
    // Retries what comes for the first time, acknowledges the rest.
    auto retry_once(std::int32_t level = 0) {
        return [this, level](delivery one) {
            seen_.add(one);
            if (one.reconsume_times() == 0)
                one.retry_later(level);
            else
                one.ack();
        };
    }
    void refuse(request_code code) {
        broker_->on(code, [](const seen_request& request) {
            fake_broker::refuse(request, response_code::system_error, "no");
            return script_says::stay_silent;
        });
    }
    // The retry topic's route is known.
    bool wait_for_retry_queue(const push_consumer& consumer) {
        return broker_->wait_until([&] { return consumer.assignment().size() == 2; });
    }
    std::vector<std::string> bodies_of(const std::string& topic) { return broker_->bodies(topic); }
};

TEST_F(consumer_retries, go_through_the_broker_and_show_the_original_topic) {
    broker_->store("T", 0, "first", "UNIQ_KEY\1ID\2");
    std::mutex mutex;
    std::vector<std::string> topics;
    const auto consumer = consume(options(), [&](delivery one) {
        {
            const std::lock_guard lock{mutex};
            topics.emplace_back(one.message().topic());
        }
        seen_.add(one);
        if (one.reconsume_times() == 0)
            one.retry_later(4);
        else
            one.ack();
    });
    ASSERT_TRUE(seen_.wait_for(2));
    ASSERT_TRUE(wait_committed(0, 1));
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->committed("G", "%RETRY%G", 0) == 1; }));
    EXPECT_THAT(topics, ElementsAre("T", "T"));
    EXPECT_THAT(seen_.times()["first"], ElementsAre(0U, 1U));
    const auto back = broker_->send_backs().at(0);
    EXPECT_EQ(back.group, "G");
    EXPECT_EQ(back.level, 4);
    EXPECT_EQ(back.position, 0U);
    EXPECT_EQ(back.origin_topic, "T");
    EXPECT_EQ(back.origin_message_id, "ID");
    EXPECT_FALSE(back.max_reconsume_times.has_value()) << "as the group is configured";
    EXPECT_THAT(troubles(), IsEmpty());
}

TEST_F(consumer_retries, pass_the_offset_only_when_the_broker_has_the_message) {
    broker_->store("T", 0, "1");
    broker_->on(request_code::consumer_send_message_back, [&](const seen_request& request) {
        broker_->hold(request);
        return script_says::stay_silent;
    });
    const auto consumer = consume(options(), retry_once());
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->held() == 1; }));
    ASSERT_TRUE(consumer->commit().ok());
    EXPECT_EQ(broker_->committed("G", "T", 0), 0);
    broker_->release({0});
    EXPECT_TRUE(wait_committed(0, 1));
}

TEST_F(consumer_retries, end_in_the_dead_letter_queue) {
    broker_->store("T", 0, "poison");
    auto with = options();
    with.max_reconsume_times = 2;
    const auto consumer = consume(with, [&](delivery one) {
        seen_.add(one); // and drops it
    });
    ASSERT_TRUE(broker_->wait_until([&] { return bodies_of("%DLQ%G").size() == 1; }));
    EXPECT_THAT(seen_.times()["poison"], ElementsAre(0U, 1U, 2U));
    EXPECT_EQ(broker_->send_backs().at(0).max_reconsume_times, 2);
    EXPECT_TRUE(broker_->wait_until([&] { return broker_->committed("G", "%RETRY%G", 0) == 2; }));
}

TEST_F(consumer_retries, are_given_up_when_the_listener_says_so) {
    broker_->store("T", 0, "poison");
    const auto consumer = consume(options(), [&](delivery one) { one.dead_letter(); });
    ASSERT_TRUE(wait_committed(0, 1));
    EXPECT_EQ(broker_->send_backs().at(0).level, -1);
    EXPECT_THAT(bodies_of("%DLQ%G"), ElementsAre("poison"));
}

TEST_F(consumer_retries, fall_back_to_a_plain_send) {
    refuse(request_code::consumer_send_message_back);
    std::optional<std::int32_t> max;
    std::int32_t times = 0;
    broker_->on(request_code::send_message_v2, [&](const seen_request& request) {
        const auto send = protocol::decode_send_message(request.command);
        max = send->max_reconsume_times;
        times = send->reconsume_times;
        return script_says::serve;
    });
    auto with = options();
    with.max_reconsume_times = 9;
    const auto consumer = consume(with, retry_once());
    ASSERT_TRUE(wait_for_retry_queue(*consumer));
    broker_->store("T", 0, "1");
    ASSERT_TRUE(wait_committed(0, 1));
    ASSERT_TRUE(seen_.wait_for(2));
    EXPECT_THAT(seen_.times()["1"], ElementsAre(0U, 1U));
    EXPECT_EQ(max, 9);
    EXPECT_EQ(times, 1);
    const auto properties = broker_->properties("%RETRY%G").at(0);
    EXPECT_EQ(protocol::find_property(properties, "RETRY_TOPIC"), "T");
    EXPECT_EQ(protocol::find_property(properties, "DELAY"), "3");
    EXPECT_EQ(protocol::find_property(properties, "ORIGIN_MESSAGE_ID")->size(), 32U);
    EXPECT_THAT(troubles(), ElementsAre(::testing::HasSubstr("retry topic")));
}

TEST_F(consumer_retries, are_made_from_here_when_nothing_else_works) {
    refuse(request_code::consumer_send_message_back);
    refuse(request_code::send_message_v2);
    broker_->store("T", 0, "1");
    std::mutex mutex;
    std::optional<delivery> second;
    const auto consumer = consume(options(), [&](delivery one) {
        const std::lock_guard lock{mutex};
        seen_.add(one);
        if (one.reconsume_times() > 0)
            second.emplace(std::move(one));
    });
    ASSERT_TRUE(seen_.wait_for(2));
    ASSERT_TRUE(consumer->commit().ok());
    EXPECT_EQ(broker_->committed("G", "T", 0), 0) << "no copy is safe, so the offset stays";
    {
        const std::lock_guard lock{mutex};
        second->ack();
    }
    EXPECT_TRUE(wait_committed(0, 1));
    EXPECT_THAT(seen_.times()["1"], ElementsAre(0U, 1U));
}

// One that was stored, but not confirmed, is not safe.
TEST_F(consumer_retries, do_not_trust_half_a_success) {
    refuse(request_code::consumer_send_message_back);
    broker_->on(request_code::send_message_v2, [](const seen_request& request) {
        fake_broker::refuse(request, response_code::flush_disk_timeout, "perhaps");
        return script_says::stay_silent;
    });
    const auto consumer = consume(options(), retry_once());
    ASSERT_TRUE(wait_for_retry_queue(*consumer));
    broker_->store("T", 0, "1");
    ASSERT_TRUE(seen_.wait_for(2));
    EXPECT_TRUE(wait_committed(0, 1)) << "by its ack";
    EXPECT_EQ(broker_->count(request_code::send_message_v2), 1);
}

TEST_F(consumer_retries, are_waited_for_at_the_end) {
    broker_->store("T", 0, "1");
    broker_->on(request_code::consumer_send_message_back, [&](const seen_request& request) {
        broker_->hold(request);
        return script_says::stay_silent;
    });
    const auto consumer = consume(options(), retry_once());
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->held() == 1; }));
    bool left_early = false;
    broker_->on(request_code::unregister_client, [&](const seen_request&) {
        left_early = broker_->held() != 0;
        return script_says::serve;
    });
    std::thread ending{[&] { consumer->shutdown(); }};
    while (consumer->subscribe("T").ok())
        std::this_thread::yield(); // until the end has begun
    broker_->release({0});
    ending.join();
    EXPECT_FALSE(left_early);
    EXPECT_EQ(broker_->committed("G", "T", 0), 1);
}

TEST_F(consumer_retries, are_made_from_here_when_broadcasting) {
    broker_->store("T", 0, "1");
    auto with = options();
    with.model = message_model::broadcasting;
    with.from = consume_from::first;
    with.offset_directory =
        std::filesystem::path{::testing::TempDir()} / ("retry-" + std::to_string(::getpid()));
    const auto consumer = consume(with, retry_once());
    ASSERT_TRUE(seen_.wait_for(2));
    EXPECT_THAT(seen_.times()["1"], ElementsAre(0U, 1U));
    EXPECT_THAT(broker_->send_backs(), IsEmpty());
    consumer->shutdown();
    std::filesystem::remove_all(with.offset_directory);
}

TEST_F(consumer_retries, refuse_a_senseless_number_of_tries) {
    auto with = options();
    with.max_reconsume_times = -2;
    EXPECT_FALSE(push_consumer{with}.start([](delivery) {}).ok());
}

} // namespace
} // namespace holdfast::client
