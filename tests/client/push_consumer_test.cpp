// Deliveries, acknowledgements, membership.
#include "tests/client/consumer_fixture.hpp"

#include <algorithm>
#include <deque>
#include <set>
#include <thread>

namespace holdfast::client {
namespace {

using protocol::request_code;
using protocol::response_code;
using testing::consumer_at_a_fake;
using ::testing::ElementsAre;
using testing::fake_broker;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::script_says;
using testing::seen_request;
using ::testing::UnorderedElementsAre;

class push_consuming : public consumer_at_a_fake {
  protected:
    // How many queues of the topic a member has.
    static std::ptrdiff_t of_topic(const push_consumer& consumer) {
        const auto all = consumer.assignment();
        return std::count_if(all.begin(), all.end(), [](const auto& each) { return each.topic == "T"; });
    }
};

TEST_F(push_consuming, receives_old_and_new_messages_and_commits_them) {
    broker_->add_topic("T", 2);
    broker_->store("T", 0, "old");
    broker_->set_committed("G", "T", 0, 0);
    broker_->set_committed("G", "T", 1, 0);
    const auto consumer = consume(options());
    ASSERT_TRUE(seen_.wait_for(1));
    broker_->store("T", 1, "new");
    ASSERT_TRUE(seen_.wait_for(2));
    EXPECT_THAT(seen_.bodies(), ElementsAre("old", "new"));
    EXPECT_TRUE(wait_committed(0, 1));
    EXPECT_TRUE(wait_committed(1, 1));
    // Two queues, and the group's retry topic.
    EXPECT_TRUE(broker_->wait_until([&] { return consumer->assignment().size() == 3; }));
}

TEST_F(push_consuming, commits_nothing_beyond_what_is_not_acknowledged) {
    broker_->add_topic("T", 1);
    broker_->set_committed("G", "T", 0, 0);
    for (int number = 0; number < 5; ++number)
        broker_->store("T", 0, std::to_string(number));
    std::mutex mutex;
    std::optional<delivery> kept;
    const auto consumer = consume(options(), [&](delivery one) {
        const std::lock_guard lock{mutex};
        seen_.add(one);
        if (one.body() == "2")
            kept.emplace(std::move(one));
        else
            one.ack();
    });
    ASSERT_TRUE(seen_.wait_for(5));
    ASSERT_TRUE(wait_committed(0, 2));
    ASSERT_TRUE(consumer->commit().ok());
    EXPECT_EQ(broker_->committed("G", "T", 0), 2);
    {
        const std::lock_guard lock{mutex};
        kept->ack();
    }
    ASSERT_TRUE(consumer->commit().ok());
    EXPECT_EQ(broker_->committed("G", "T", 0), 5);
}

TEST_F(push_consuming, delivers_again_what_is_retried_dropped_or_thrown_over) {
    broker_->add_topic("T", 1);
    broker_->set_committed("G", "T", 0, 0);
    for (const char* body : {"retried", "dropped", "thrown", "fine"})
        broker_->store("T", 0, body);
    const auto consumer = consume(options(), [&](delivery one) {
        seen_.add(one);
        const bool again = one.reconsume_times() > 0;
        if (one.body() == "thrown" && !again)
            throw std::runtime_error{"listener"};
        if (one.body() == "retried" && !again)
            one.retry_later();
        if (again || one.body() == "fine")
            one.ack();
    });
    ASSERT_TRUE(seen_.wait_for(7));
    ASSERT_TRUE(wait_committed(0, 4));
    const std::vector<std::uint32_t> twice{0, 1};
    EXPECT_EQ(seen_.times()["retried"], twice);
    EXPECT_EQ(seen_.times()["dropped"], twice);
    EXPECT_EQ(seen_.times()["thrown"], twice);
    EXPECT_EQ(seen_.times()["fine"], std::vector<std::uint32_t>{0});
}

TEST_F(push_consuming, hands_over_spans) {
    broker_->add_topic("T", 1);
    broker_->set_committed("G", "T", 0, 0);
    for (int number = 0; number < 100; ++number)
        broker_->store("T", 0, std::to_string(number));
    push_consumer consumer{options()};
    ASSERT_TRUE(consumer.subscribe("T").ok());
    ASSERT_TRUE(consumer
                    .start_batches([&](std::span<delivery> deliveries) {
                        for (delivery& each : deliveries) {
                            seen_.add(each);
                            each.ack();
                        }
                    })
                    .ok());
    ASSERT_TRUE(seen_.wait_for(100));
    EXPECT_TRUE(wait_committed(0, 100));
}

TEST_F(push_consuming, lets_handles_be_settled_on_other_threads_and_after_its_end) {
    broker_->add_topic("T", 1);
    broker_->set_committed("G", "T", 0, 0);
    for (int number = 0; number < 4; ++number)
        broker_->store("T", 0, std::to_string(number));
    std::mutex mutex;
    std::vector<delivery> kept;
    auto consumer = consume(options(), [&](delivery one) {
        const std::lock_guard lock{mutex};
        kept.push_back(std::move(one));
        seen_.add(kept.back());
    });
    ASSERT_TRUE(seen_.wait_for(4));
    std::unique_lock lock{mutex};
    std::sort(kept.begin(), kept.end(),
              [](const delivery& left, const delivery& right) { return left.offset() < right.offset(); });
    std::thread{[&] { kept[0].ack(); }}.join();
    lock.unlock();
    consumer->shutdown();
    EXPECT_EQ(broker_->committed("G", "T", 0), 1);
    consumer.reset();
    EXPECT_EQ(kept[1].body(), "1");
    kept[1].ack();
    kept.clear();
    EXPECT_EQ(broker_->committed("G", "T", 0), 1) << "a word after the end has no effect";
}

TEST_F(push_consuming, waits_with_grace_for_what_is_in_work) {
    broker_->add_topic("T", 1);
    broker_->set_committed("G", "T", 0, 0);
    broker_->store("T", 0, "slow");
    std::optional<delivery> kept;
    std::mutex mutex;
    const auto consumer = consume(options(), [&](delivery one) {
        const std::lock_guard lock{mutex};
        kept.emplace(std::move(one));
        seen_.add(*kept);
    });
    ASSERT_TRUE(seen_.wait_for(1));
    std::thread worker{[&] {
        const std::lock_guard lock{mutex};
        kept->ack();
    }};
    consumer->shutdown(std::chrono::seconds{10});
    worker.join();
    EXPECT_EQ(broker_->committed("G", "T", 0), 1);
}

TEST_F(push_consuming, filters_again_by_text) {
    broker_->add_topic("T", 1);
    broker_->set_committed("G", "T", 0, 0);
    // The fake broker does not filter at all: over-delivery is legal.
    broker_->store("T", 0, "blue", "TAGS\1blue\2");
    broker_->store("T", 0, "red", "TAGS\1red\2");
    broker_->store("T", 0, "none");
    broker_->store("T", 0, "green", "TAGS\1green\2");
    std::string asked;
    broker_->on(request_code::pull_message, [&](const seen_request& request) {
        if (*request.command.find("topic") == "T")
            asked = request.command.find("subscription").value_or("");
        return script_says::serve;
    });
    const auto consumer = consume(options(), "blue || green");
    ASSERT_TRUE(seen_.wait_for(2));
    ASSERT_TRUE(wait_committed(0, 4));
    EXPECT_THAT(seen_.bodies(), UnorderedElementsAre("blue", "green"));
    EXPECT_TRUE(broker_->wait_until([&] { return asked == "blue || green"; }));
}

TEST_F(push_consuming, shares_the_queues_with_other_members_and_takes_over) {
    broker_->add_topic("T", 4);
    for (std::uint32_t queue = 0; queue < 4; ++queue)
        broker_->set_committed("G", "T", queue, 0);
    const auto first = consume(options());
    ASSERT_TRUE(broker_->wait_until([&] { return of_topic(*first) == 4; }));
    // The notice (40) of the second member makes the first give up half at once: the interval is 20 s.
    auto second = consume(options());
    ASSERT_TRUE(broker_->wait_until([&] { return of_topic(*first) == 2 && of_topic(*second) == 2; }));
    second.reset();
    ASSERT_TRUE(broker_->wait_until([&] { return of_topic(*first) == 4; }));
    for (std::uint32_t queue = 0; queue < 4; ++queue)
        broker_->store("T", queue, std::to_string(queue));
    ASSERT_TRUE(seen_.wait_for(4));
    EXPECT_THAT(seen_.bodies(), UnorderedElementsAre("0", "1", "2", "3"));
}

// What another member takes over must come again to it, whatever the old owner says late.
TEST_F(push_consuming, loses_nothing_when_a_queue_moves_with_messages_in_work) {
    broker_->add_topic("T", 1);
    broker_->set_committed("G", "T", 0, 0);
    for (int number = 0; number < 3; ++number)
        broker_->store("T", 0, std::to_string(number));
    auto with = options();
    with.client.client_id = "b";
    std::mutex mutex;
    std::vector<delivery> kept;
    const auto old_owner = consume(with, [&](delivery one) {
        const std::lock_guard lock{mutex};
        kept.push_back(std::move(one));
        seen_.add(kept.back());
    });
    ASSERT_TRUE(seen_.wait_for(3));
    testing::seen_messages seen_by_new;
    with.client.client_id = "a"; // sorts first: takes the only queue
    const auto new_owner = consume(with, [&](delivery one) {
        seen_by_new.add(one);
        one.ack();
    });
    ASSERT_TRUE(seen_by_new.wait_for(3));
    ASSERT_TRUE(broker_->wait_until([&] {
        const std::lock_guard lock{mutex};
        return kept[0].lost();
    }));
    {
        const std::lock_guard lock{mutex};
        kept[0].ack();
        kept.clear();
    }
    EXPECT_TRUE(wait_committed(0, 3));
    EXPECT_THAT(seen_by_new.bodies(), UnorderedElementsAre("0", "1", "2"));
}

TEST_F(push_consuming, keeps_its_queues_while_the_member_list_is_empty_or_unknown) {
    broker_->add_topic("T", 1);
    broker_->set_committed("G", "T", 0, 0);
    std::atomic<int> empty_answers{0};
    auto with = options();
    with.rebalance_interval = std::chrono::milliseconds{10};
    const auto consumer = consume(with);
    broker_->store("T", 0, "1");
    ASSERT_TRUE(seen_.wait_for(1));
    broker_->on(request_code::get_consumer_list_by_group, [&](const seen_request& request) {
        fake_broker::refuse(
            request, ++empty_answers % 2 == 0 ? response_code::system_error : response_code{14}, "nobody");
        return script_says::stay_silent;
    });
    ASSERT_TRUE(broker_->wait_until([&] { return empty_answers >= 4; }));
    broker_->store("T", 0, "2");
    ASSERT_TRUE(seen_.wait_for(2));
    EXPECT_EQ(of_topic(*consumer), 1);
}

TEST_F(push_consuming, asks_for_the_members_again_when_they_change_under_the_question) {
    broker_->add_topic("T", 2);
    auto with = options();
    with.rebalance_interval = std::chrono::minutes{1};
    with.client.client_id = "a";
    const auto one = consume(with);
    ASSERT_TRUE(broker_->wait_until([&] { return of_topic(*one) == 2; }));
    // Two more notices while the question about the first one waits for its answer.
    int asked = 0;
    broker_->on(request_code::get_consumer_list_by_group, [&](const seen_request& request) {
        if (++asked > 2)
            return script_says::serve;
        broker_->hold(request);
        return script_says::stay_silent;
    });
    const protocol::notify_consumer_ids_changed_request notice{.consumer_group = "G"};
    broker_->tell_group("G", notice, true);
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->held() == 2; })) << "of the topic and its retries";
    broker_->tell_group("G", notice, true);
    broker_->tell_group("G", protocol::check_transaction_state_request{}, false);
    // The answer to what it does not know says that it has seen the notice.
    ASSERT_TRUE(broker_->wait_until([&] { return !broker_->answers().empty(); }));
    broker_->release({0, 1});
    EXPECT_TRUE(broker_->wait_until([&] { return asked >= 4; }));
}

TEST_F(push_consuming, goes_on_after_a_restart_of_the_broker) {
    broker_->add_topic("T", 1);
    broker_->set_committed("G", "T", 0, 0);
    broker_->store("T", 0, "before");
    const auto consumer = consume(options());
    ASSERT_TRUE(seen_.wait_for(1));
    ASSERT_TRUE(wait_committed(0, 1));
    const auto port = broker_->port();
    broker_.reset();
    broker_ = std::make_unique<fake_broker>(port);
    broker_->add_topic("T", 1);
    broker_->set_committed("G", "T", 0, 1);
    broker_->store("T", 0, "before");
    broker_->store("T", 0, "after");
    ASSERT_TRUE(seen_.wait_for(2));
    EXPECT_THAT(seen_.bodies(), ElementsAre("before", "after"));
    ASSERT_TRUE(broker_->wait_until([&] { return broker_->members("G") == 1; })) << "registered again";
}

TEST_F(push_consuming, sees_a_topic_that_appears_later) {
    const auto consumer = consume(options());
    ASSERT_TRUE(broker_->wait_until([&] { return !troubles().empty(); }));
    EXPECT_THAT(troubles(), ::testing::Contains(HasSubstr("topic T")));
    broker_->add_topic("T", 1);
    broker_->set_committed("G", "T", 0, 0);
    broker_->store("T", 0, "at last");
    ASSERT_TRUE(seen_.wait_for(1));
}

TEST_F(push_consuming, pulls_no_more_bytes_at_once_than_a_queue_may_keep) {
    broker_->add_topic("T", 1);
    broker_->set_committed("G", "T", 0, 0);
    for (int number = 0; number < 100; ++number)
        broker_->store("T", 0, std::string(300, 'x') + std::to_string(number));
    auto with = options();
    with.max_cached_bytes_per_queue = 1'000; // two records of 400 bytes
    std::mutex mutex;
    std::deque<delivery> kept;
    const auto consumer = consume(with, [&](delivery one) {
        const std::lock_guard lock{mutex};
        kept.push_back(std::move(one));
        seen_.add(kept.back());
    });
    // Two pulls reach the bound; a third one was on its way.
    ASSERT_TRUE(seen_.wait_for(6));
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
    const std::lock_guard lock{mutex};
    EXPECT_EQ(kept.size(), 6U);
}

TEST_F(push_consuming, pauses_above_its_bounds_and_goes_on_below_them) {
    broker_->add_topic("T", 1);
    broker_->set_committed("G", "T", 0, 0);
    for (int number = 0; number < 400; ++number)
        broker_->store("T", 0, std::to_string(number));
    auto with = options();
    with.pull_batch_messages = 10;
    with.max_cached_messages_per_queue = 40;
    std::mutex mutex;
    std::deque<delivery> kept;
    const auto consumer = consume(with, [&](delivery one) {
        const std::lock_guard lock{mutex};
        kept.push_back(std::move(one));
        seen_.add(kept.back());
    });
    // The bound, and the pull that was on its way when it was reached.
    ASSERT_TRUE(seen_.wait_for(41));
    std::size_t acknowledged = 0;
    while (acknowledged < 400) {
        std::unique_lock lock{mutex};
        EXPECT_LE(kept.size(), 60U);
        while (!kept.empty()) {
            kept.front().ack();
            kept.pop_front();
            ++acknowledged;
        }
        lock.unlock();
        ASSERT_TRUE(seen_.wait_for(std::min<std::size_t>(400, acknowledged + 1)));
    }
    EXPECT_TRUE(wait_committed(0, 400));
}

TEST_F(push_consuming, heartbeats_what_it_subscribes_to_and_says_goodbye) {
    broker_->add_topic("T", 1);
    std::string newest;
    broker_->on(request_code::heart_beat, [&](const seen_request& request) {
        newest = as_text(request.command.body());
        return script_says::serve;
    });
    auto consumer = consume(options(), "A || B");
    std::string beat;
    ASSERT_TRUE(broker_->wait_until([&] {
        beat = newest;
        return broker_->members("G") == 1;
    }));
    EXPECT_THAT(beat, HasSubstr(R"("subString":"A || B")"));
    EXPECT_THAT(beat, HasSubstr(R"("groupName":"G")"));
    EXPECT_THAT(beat, HasSubstr("%RETRY%G"));
    EXPECT_THAT(beat, HasSubstr("CONSUME_PASSIVELY"));
    consumer->shutdown();
    EXPECT_EQ(broker_->members("G"), 0U);
    EXPECT_EQ(broker_->count(request_code::unregister_client), 1);
    EXPECT_THAT(consumer->assignment(), IsEmpty());
}

TEST_F(push_consuming, refuses_senseless_options_and_subscriptions) {
    auto with = options();
    with.group = "";
    EXPECT_FALSE(push_consumer{with}.start([](delivery) {}).ok());
    with = options();
    with.listener_threads = 0;
    EXPECT_FALSE(push_consumer{with}.start([](delivery) {}).ok());
    with = options();
    with.model = message_model::broadcasting;
    const auto without_directory = push_consumer{with}.start([](delivery) {});
    ASSERT_FALSE(without_directory.ok());
    EXPECT_THAT(without_directory.failure().message, HasSubstr("offset_directory"));
    push_consumer consumer{options()};
    EXPECT_FALSE(consumer.subscribe("no spaces").ok());
    EXPECT_FALSE(consumer.subscribe("T", "||").ok());
}

} // namespace
} // namespace holdfast::client
