// Consumption in order, under the locks of the broker (protocol reference 6.9).
#include "tests/client/consumer_fixture.hpp"

#include <atomic>
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

class consumer_in_order : public consumer_at_a_fake {
  protected:
    push_consumer_options ordered() {
        auto with = options();
        with.ordered = true;
        with.lock_interval = std::chrono::milliseconds{50};
        with.lock_trust = std::chrono::seconds{20};
        return with;
    }
    void add_messages(int count, std::uint32_t queue = 0) {
        for (int number = 0; number < count; ++number)
            broker_->store("T", queue, std::to_string(number));
    }
    void add_queues(std::int32_t count) {
        broker_->add_topic("T", count);
        for (std::int32_t queue = 0; queue < count; ++queue)
            broker_->set_committed("G", "T", static_cast<std::uint32_t>(queue), 0);
    }
    static std::vector<std::string> numbers(int count) {
        std::vector<std::string> all;
        for (int number = 0; number < count; ++number)
            all.push_back(std::to_string(number));
        return all;
    }
    [[nodiscard]] std::string owner() const { return broker_->lock_owner("G", "T", 0); }
    bool wait_for_owner(const std::string& client_id) {
        return broker_->wait_until([&] { return owner() == client_id; });
    }
};

TEST_F(consumer_in_order, gets_one_message_of_a_queue_at_a_time) {
    add_queues(1);
    add_messages(500);
    auto with = ordered();
    with.listener_threads = 4;
    with.pull_batch_messages = 7;
    std::atomic<int> in_work{0};
    std::atomic<int> most{0};
    std::mutex mutex;
    std::vector<std::thread> workers;
    const auto consumer = consume(with, [&](delivery one) {
        most = std::max<int>(most, ++in_work);
        seen_.add(one);
        if (one.offset().value() % 10 != 0) {
            --in_work;
            return one.ack();
        }
        // Settled on a thread of the application, after the listener has returned.
        const std::lock_guard lock{mutex};
        workers.emplace_back([&, kept = std::make_shared<delivery>(std::move(one))] {
            --in_work;
            kept->ack();
        });
    });
    ASSERT_TRUE(seen_.wait_for(500));
    EXPECT_TRUE(wait_committed(0, 500));
    for (auto& each : workers)
        each.join();
    EXPECT_EQ(seen_.bodies(), numbers(500));
    EXPECT_EQ(most, 1);
}

TEST_F(consumer_in_order, works_on_several_queues_at_once) {
    add_queues(2);
    add_messages(1, 0);
    add_messages(1, 1);
    std::mutex mutex;
    std::vector<delivery> kept;
    const auto consumer = consume(ordered(), [&](delivery one) {
        const std::lock_guard lock{mutex};
        seen_.add(one);
        kept.push_back(std::move(one));
    });
    EXPECT_TRUE(seen_.wait_for(2));
    consumer->shutdown();
}

TEST_F(consumer_in_order, waits_for_the_lock_before_it_pulls) {
    add_queues(1);
    add_messages(3);
    broker_->set_lock("G", "T", 0, "somebody");
    std::atomic<int> pulls{0};
    broker_->on(request_code::pull_message, [&](const seen_request& request) {
        pulls += *request.command.find("topic") == "T" ? 1 : 0;
        return script_says::serve;
    });
    const auto consumer = consume(ordered());
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->count(request_code::lock_batch_mq) >= 4; }));
    EXPECT_EQ(pulls, 0);
    EXPECT_THAT(seen_.bodies(), IsEmpty());
    broker_->set_lock("G", "T", 0, "");
    ASSERT_TRUE(seen_.wait_for(3));
    EXPECT_EQ(owner(), consumer->client_id());
}

TEST_F(consumer_in_order, holds_up_the_queue_for_a_retried_message) {
    add_queues(1);
    add_messages(4);
    const auto consumer = consume(ordered(), [&](delivery one) {
        seen_.add(one);
        if (one.body() == "1" && one.reconsume_times() < 3)
            throw std::runtime_error{"not now"};
        one.ack();
    });
    ASSERT_TRUE(wait_committed(0, 4));
    EXPECT_THAT(seen_.bodies(), ElementsAre("0", "1", "1", "1", "1", "2", "3"));
    EXPECT_THAT(seen_.times()["1"], ElementsAre(0U, 1U, 2U, 3U));
    EXPECT_THAT(broker_->send_backs(), IsEmpty());
}

TEST_F(consumer_in_order, sends_a_message_to_the_dead_letter_queue_after_the_last_try) {
    add_queues(1);
    add_messages(4);
    auto with = ordered();
    with.max_reconsume_times = 2;
    const auto consumer = consume(with, [&](delivery one) {
        seen_.add(one);
        if (one.body() == "1")
            return one.retry_later();
        if (one.body() == "2")
            return one.dead_letter();
        one.ack();
    });
    ASSERT_TRUE(wait_committed(0, 4));
    EXPECT_THAT(seen_.bodies(), ElementsAre("0", "1", "1", "1", "2", "3"));
    EXPECT_THAT(broker_->bodies("%DLQ%G"), ElementsAre("1", "2"));
}

TEST_F(consumer_in_order, tries_again_here_when_the_dead_letter_queue_can_not_be_reached) {
    add_queues(1);
    add_messages(2);
    std::atomic<bool> works{false};
    for (const auto code : {request_code::consumer_send_message_back, request_code::send_message_v2})
        broker_->on(code, [&](const seen_request& request) {
            if (works)
                return script_says::serve;
            fake_broker::refuse(request, response_code::system_error, "no");
            return script_says::stay_silent;
        });
    const auto consumer = consume(ordered(), [&](delivery one) {
        seen_.add(one);
        one.dead_letter();
    });
    ASSERT_TRUE(seen_.wait_for(3));
    works = true;
    ASSERT_TRUE(wait_committed(0, 2));
    EXPECT_EQ(seen_.times()["1"].size(), 1U) << "the second one came after the first one was dealt with";
}

// The heart of it: another member gets the queue only after the message in work is settled, and goes on
// right behind it.
TEST_F(consumer_in_order, hands_a_queue_over_between_two_messages) {
    add_queues(1);
    add_messages(6);
    auto with = ordered();
    with.client.client_id = "b";
    std::mutex mutex;
    std::optional<delivery> kept;
    const auto old_owner = consume(with, [&](delivery one) {
        const std::lock_guard lock{mutex};
        seen_.add(one);
        if (one.body() != "2")
            return one.ack();
        kept.emplace(std::move(one));
    });
    ASSERT_TRUE(seen_.wait_for(3));
    testing::seen_messages seen_by_new;
    with.client.client_id = "a"; // sorts first: takes the only queue
    const auto new_owner = consume(with, [&](delivery one) {
        seen_by_new.add(one);
        one.ack();
    });
    ASSERT_TRUE(broker_->wait_until([&] { return old_owner->assignment().empty(); }));
    const int asked = broker_->count(request_code::lock_batch_mq);
    ASSERT_TRUE(
        broker_->wait_until([&] { return broker_->count(request_code::lock_batch_mq) >= asked + 4; }));
    EXPECT_EQ(owner(), "b") << "a message is in work";
    EXPECT_THAT(seen_by_new.bodies(), IsEmpty());
    {
        const std::lock_guard lock{mutex};
        kept->ack();
    }
    ASSERT_TRUE(seen_by_new.wait_for(3));
    EXPECT_TRUE(wait_committed(0, 6));
    EXPECT_EQ(owner(), "a");
    EXPECT_THAT(seen_.bodies(), ElementsAre("0", "1", "2"));
    EXPECT_THAT(seen_by_new.bodies(), ElementsAre("3", "4", "5"));
}

TEST_F(consumer_in_order, does_not_wait_for_a_pause_when_a_queue_leaves) {
    add_queues(1);
    add_messages(2);
    auto with = ordered();
    with.client.client_id = "b";
    with.retry_first = with.retry_most = std::chrono::hours{1};
    const auto old_owner = consume(with, [&](delivery one) { seen_.add(one); });
    ASSERT_TRUE(seen_.wait_for(1));
    testing::seen_messages seen_by_new;
    with.client.client_id = "a";
    const auto new_owner = consume(with, [&](delivery one) {
        seen_by_new.add(one);
        one.ack();
    });
    ASSERT_TRUE(seen_by_new.wait_for(2));
    EXPECT_THAT(seen_by_new.bodies(), ElementsAre("0", "1"));
}

TEST_F(consumer_in_order, stops_when_the_lock_went_to_somebody_else) {
    add_queues(1);
    add_messages(3);
    std::mutex mutex;
    std::optional<delivery> kept;
    const auto consumer = consume(ordered(), [&](delivery one) {
        const std::lock_guard lock{mutex};
        seen_.add(one);
        if (one.body() == "1" && !kept)
            kept.emplace(std::move(one));
        else
            one.ack();
    });
    ASSERT_TRUE(seen_.wait_for(2));
    ASSERT_TRUE(wait_committed(0, 1));
    broker_->set_lock("G", "T", 0, "somebody");
    ASSERT_TRUE(broker_->wait_until([&] {
        const std::lock_guard lock{mutex};
        return kept->lost();
    }));
    // Whatever the new owner has stored is not overwritten by what we did.
    broker_->set_committed("G", "T", 0, 2);
    broker_->set_lock("G", "T", 0, "");
    ASSERT_TRUE(wait_for_owner(consumer->client_id()));
    {
        const std::lock_guard lock{mutex};
        kept->ack(); // until now nothing new may begin here
    }
    ASSERT_TRUE(wait_committed(0, 3));
    EXPECT_THAT(seen_.bodies(), ElementsAre("0", "1", "2"));
}

TEST_F(consumer_in_order, does_not_rely_on_a_lock_it_could_not_renew) {
    add_queues(1);
    auto with = ordered();
    with.lock_interval = std::chrono::milliseconds{20};
    with.lock_trust = std::chrono::milliseconds{100};
    std::atomic<bool> answers{true};
    const auto consumer = consume(with);
    ASSERT_TRUE(wait_for_owner(consumer->client_id()));
    broker_->store("T", 0, "before");
    ASSERT_TRUE(wait_committed(0, 1));
    broker_->on(request_code::lock_batch_mq, [&](const seen_request& request) {
        if (answers)
            return script_says::serve;
        fake_broker::refuse(request, response_code::system_busy, "busy");
        return script_says::stay_silent;
    });
    answers = false;
    const int asked = broker_->count(request_code::lock_batch_mq);
    // At most five of them fit into the time of trust.
    ASSERT_TRUE(
        broker_->wait_until([&] { return broker_->count(request_code::lock_batch_mq) > asked + 20; }));
    const int commits = broker_->count(request_code::update_consumer_offset);
    broker_->store("T", 0, "after");
    const int later = broker_->count(request_code::lock_batch_mq);
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->count(request_code::lock_batch_mq) > later + 5; }));
    EXPECT_THAT(seen_.bodies(), ElementsAre("before"));
    EXPECT_EQ(broker_->count(request_code::update_consumer_offset), commits);
    answers = true;
    ASSERT_TRUE(seen_.wait_for(2));
    EXPECT_TRUE(wait_committed(0, 2));
    EXPECT_THAT(seen_.bodies(), ElementsAre("before", "after"));
}

TEST_F(consumer_in_order, gives_its_locks_back_at_the_end) {
    add_queues(2);
    add_messages(1);
    std::mutex mutex;
    std::optional<delivery> kept;
    auto consumer = consume(ordered(), [&](delivery one) {
        const std::lock_guard lock{mutex};
        kept.emplace(std::move(one));
        seen_.add(*kept);
    });
    ASSERT_TRUE(seen_.wait_for(1));
    ASSERT_TRUE(
        broker_->wait_until([&] { return broker_->lock_owner("G", "T", 1) == consumer->client_id(); }));
    consumer->shutdown();
    EXPECT_EQ(owner(), consumer->client_id()) << "its message is still in work: it expires";
    EXPECT_EQ(broker_->lock_owner("G", "T", 1), "");
    const std::lock_guard lock{mutex};
    kept.reset();
}

TEST_F(consumer_in_order, begins_anew_after_a_reset) {
    add_queues(1);
    add_messages(4);
    std::mutex mutex;
    std::optional<delivery> kept;
    const auto consumer = consume(ordered(), [&](delivery one) {
        const std::lock_guard lock{mutex};
        seen_.add(one);
        if (one.body() == "3" && !kept)
            kept.emplace(std::move(one));
        else
            one.ack();
    });
    ASSERT_TRUE(seen_.wait_for(4));
    const std::string body =
        R"({"offsetTable":[{"brokerName":"fake-broker","offset":1,"queueId":0,"topic":"T"}]})";
    broker_->tell_group("G",
                        protocol::reset_client_offset_request{.topic = "T", .group = "G", .is_forced = true},
                        true, as_bytes(body));
    ASSERT_TRUE(broker_->wait_until([&] {
        const std::lock_guard lock{mutex};
        return kept->lost();
    }));
    EXPECT_EQ(seen_.bodies().size(), 4U) << "one at a time, also across a reset";
    {
        const std::lock_guard lock{mutex};
        kept->ack();
    }
    ASSERT_TRUE(wait_committed(0, 4));
    EXPECT_THAT(seen_.bodies(), ElementsAre("0", "1", "2", "3", "1", "2", "3"));
}

TEST_F(consumer_in_order, needs_no_locks_when_broadcasting) {
    add_queues(1);
    add_messages(20);
    auto with = ordered();
    with.model = message_model::broadcasting;
    with.from = consume_from::first;
    with.offset_directory =
        std::filesystem::path{::testing::TempDir()} / ("order-" + std::to_string(::getpid()));
    const auto consumer = consume(with);
    ASSERT_TRUE(seen_.wait_for(20));
    EXPECT_EQ(seen_.bodies(), numbers(20));
    EXPECT_EQ(broker_->count(request_code::lock_batch_mq), 0);
    consumer->shutdown();
    std::filesystem::remove_all(with.offset_directory);
}

TEST_F(consumer_in_order, refuses_to_trust_locks_for_less_than_it_renews_them) {
    auto with = ordered();
    with.lock_trust = with.lock_interval;
    EXPECT_FALSE(push_consumer{with}.start([](delivery) {}).ok());
}

} // namespace
} // namespace holdfast::client
