// The C++ client library against the real broker: transactions, retries, delays, order, moved offsets.
#include "client/admin.hpp"
#include "client/producer.hpp"
#include "client/push_consumer.hpp"
#include "client/transaction_producer.hpp"
#include "protocol/names.hpp"
#include "tests/e2e/shared_broker.hpp"

#include <gmock/gmock.h>

#include <condition_variable>
#include <map>
#include <mutex>

namespace holdfast::e2e {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;
using namespace std::chrono_literals;
using client::transaction_decision;

// What was received, in order of arrival.
struct arrival {
    std::string body;
    std::string topic;
    std::uint32_t times = 0;
    std::uint32_t queue = 0;
    std::chrono::steady_clock::time_point at{};
};
class arrivals {
  public:
    void put(const client::delivery& got) {
        const std::lock_guard guard{mutex_};
        all_.push_back({std::string{got.body()}, std::string{got.message().topic()}, got.reconsume_times(),
                        got.queue().queue.value(), std::chrono::steady_clock::now()});
        changed_.notify_all();
    }
    bool wait_for(std::size_t count) {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, patience, [&] { return all_.size() >= count; });
    }
    std::vector<arrival> all() {
        const std::lock_guard guard{mutex_};
        return all_;
    }
    std::vector<std::string> bodies() {
        std::vector<std::string> found;
        for (const arrival& each : all())
            found.push_back(each.body);
        return found;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<arrival> all_;
};

class client_delivery : public ::testing::Test {
  protected:
    // One broker for all of them, with short waits.
    static void SetUpTestSuite() {
        broker_ = std::make_unique<own_broker>(std::vector<std::string>{
            "--messageDelayLevel=1s", "--transactionTimeOut=200", "--transactionCheckInterval=200"});
        ASSERT_TRUE((*broker_)->ready()) << (*broker_)->log();
    }
    static void TearDownTestSuite() {
        EXPECT_EQ((*broker_)->terminate(patience), 0) << (*broker_)->log();
        broker_.reset();
    }
    static testing::broker_process& broker() { return **broker_; }
    static client::client_options to_broker() { return {.name_servers = broker().name_servers()}; }

    static std::unique_ptr<client::producer> started_producer() {
        client::producer_options options;
        options.client = to_broker();
        auto made = std::make_unique<client::producer>(options);
        EXPECT_TRUE(made->start());
        return made;
    }
    static client::push_consumer_options consumer_options(const std::string& group) {
        client::push_consumer_options options;
        options.client = to_broker();
        options.group = group;
        options.from = client::consume_from::first;
        options.pull_error_delay = 50ms;
        options.commit_interval = 50ms;
        options.rebalance_interval = 1s;
        return options;
    }
    std::unique_ptr<client::push_consumer> consume(const client::push_consumer_options& options,
                                                   const std::string& topic,
                                                   std::function<void(client::delivery)> listener) {
        auto made = std::make_unique<client::push_consumer>(options);
        EXPECT_TRUE(made->subscribe(topic));
        EXPECT_TRUE(made->start(std::move(listener)));
        return made;
    }
    std::unique_ptr<client::push_consumer> collect(const client::push_consumer_options& options,
                                                   const std::string& topic) {
        return consume(options, topic, [this](client::delivery got) {
            seen_.put(got);
            got.ack();
        });
    }

    static inline std::unique_ptr<own_broker> broker_;
    arrivals seen_;
};

TEST_F(client_delivery, shows_what_was_committed_and_nothing_else) {
    const auto topic = new_topic(broker(), 2);
    client::transaction_producer_options options;
    options.sending.client = to_broker();
    options.sending.group = new_name("PID");
    options.confirm_decisions = true;
    // Left open: every second one turns out to be done.
    client::transaction_producer producer{options, [](const client::message_view& half) {
                                              return half.plain_body().ends_with("0")
                                                         ? transaction_decision::commit
                                                         : transaction_decision::rollback;
                                          }};
    ASSERT_TRUE(producer.start());
    std::vector<std::string> expected;
    const auto send = [&](const std::string& body, transaction_decision decision) {
        const auto sent =
            producer.send({.topic = topic, .body = body}, [&](const auto&, const auto&) { return decision; });
        ASSERT_TRUE(sent.half) << sent.half.failure().message;
        EXPECT_TRUE(sent.told) << sent.told.failure().message;
    };
    const auto collector = collect(consumer_options(new_name("CID")), topic);
    for (int number = 0; number < 10; ++number) {
        send("committed " + std::to_string(number), transaction_decision::commit);
        expected.push_back("committed " + std::to_string(number));
        send("rolled back " + std::to_string(number), transaction_decision::rollback);
        send("open " + std::to_string(number), transaction_decision::unknown);
    }
    expected.emplace_back("open 0");
    ASSERT_TRUE(seen_.wait_for(expected.size()));
    // All that was open is decided, and a message sent now is the last one.
    send("last", transaction_decision::commit);
    expected.emplace_back("last");
    ASSERT_TRUE(seen_.wait_for(expected.size()));
    EXPECT_THAT(seen_.bodies(), UnorderedElementsAreArray(expected));
}

TEST_F(client_delivery, keeps_the_first_decision) {
    const auto topic = new_topic(broker(), 1);
    client::transaction_producer_options options;
    options.sending.client = to_broker();
    options.sending.group = new_name("PID");
    client::transaction_producer producer{options, [](const auto&) { return transaction_decision::commit; }};
    ASSERT_TRUE(producer.start());
    // One decides, then dies; nobody holds the handle of the other: both are asked for.
    {
        auto first = producer.send_half({.topic = topic, .body = "rolled back"});
        ASSERT_TRUE(first.ok()) << first.failure().message;
        first.half().rollback();
        auto second = producer.send_half({.topic = topic, .body = "forgotten"});
        ASSERT_TRUE(second.ok()) << second.failure().message;
    }
    const auto collector = collect(consumer_options(new_name("CID")), topic);
    ASSERT_TRUE(seen_.wait_for(1));
    EXPECT_THAT(seen_.bodies(), ElementsAre("forgotten"));
}

TEST_F(client_delivery, brings_retried_messages_again_and_gives_up_in_the_end) {
    const auto topic = new_topic(broker(), 1);
    const auto group = new_name("CID");
    ASSERT_TRUE(started_producer()->send({.topic = topic, .body = "poison", .keys = "k"}));
    auto options = consumer_options(group);
    options.max_reconsume_times = 1;
    const auto consumer = consume(options, topic, [this](client::delivery got) { seen_.put(got); });
    ASSERT_TRUE(seen_.wait_for(2));
    const auto tries = seen_.all();
    EXPECT_THAT((std::vector{tries[0].times, tries[1].times}), ElementsAre(0U, 1U));
    EXPECT_EQ(tries[1].topic, topic);
    EXPECT_GE(tries[1].at - tries[0].at, 900ms) << "after the delay of its level";
    arrivals dead;
    const auto undertaker = consume(consumer_options(new_name("CID")), protocol::dead_letter_topic_of(group),
                                    [&](client::delivery got) {
                                        dead.put(got);
                                        got.ack();
                                    });
    ASSERT_TRUE(dead.wait_for(1));
    EXPECT_EQ(dead.all()[0].body, "poison");
    EXPECT_TRUE(consumer->commit());
}

TEST_F(client_delivery, waits_with_delayed_messages_and_takes_them_back) {
    const auto topic = new_topic(broker(), 1);
    const auto producer = started_producer();
    const auto collector = collect(consumer_options(new_name("CID")), topic);
    const auto begun = std::chrono::steady_clock::now();
    ASSERT_TRUE(producer->send({.topic = topic, .body = "by level", .delay_level = 1}));
    ASSERT_TRUE(producer->send({.topic = topic, .body = "by time", .deliver_after_ms = 400}));
    const auto recalled = producer->send({.topic = topic, .body = "recalled", .deliver_after_ms = 700});
    ASSERT_TRUE(recalled);
    ASSERT_FALSE(recalled.receipt().recall_handle.empty());
    const auto taken = producer->recall(topic, recalled.receipt().recall_handle);
    ASSERT_TRUE(taken) << taken.failure().message;
    EXPECT_EQ(*taken, recalled.receipt().message_id);
    ASSERT_TRUE(seen_.wait_for(2));
    EXPECT_THAT(seen_.bodies(), ElementsAre("by time", "by level"));
    EXPECT_GE(seen_.all()[0].at - begun, 400ms);
    EXPECT_GE(seen_.all()[1].at - begun, 1s);
    EXPECT_FALSE(producer->recall(topic, "nonsense"));
}

TEST_F(client_delivery, keeps_the_order_of_each_queue_while_members_come_and_go) {
    constexpr std::uint32_t queues = 3;
    constexpr int each = 150;
    const auto topic = new_topic(broker(), queues);
    const auto producer = started_producer();
    std::map<std::uint32_t, std::vector<std::string>> expected;
    for (int number = 0; number < each; ++number)
        for (std::uint32_t queue = 0; queue < queues; ++queue) {
            expected[queue].push_back(std::to_string(number));
            ASSERT_TRUE(
                producer->send({.topic = topic, .body = std::to_string(number)},
                               [&](const auto&, const auto&) { return static_cast<std::size_t>(queue); }));
        }
    auto options = consumer_options(new_name("CID"));
    options.ordered = true;
    const auto slowly = [this](client::delivery got) {
        std::this_thread::sleep_for(2ms);
        seen_.put(got);
        got.ack();
    };
    const auto first = consume(options, topic, slowly);
    ASSERT_TRUE(seen_.wait_for(60));
    auto second = consume(options, topic, slowly);
    ASSERT_TRUE(seen_.wait_for(150));
    second->shutdown(5s);
    ASSERT_TRUE(seen_.wait_for(std::size_t{queues} * each));
    std::map<std::uint32_t, std::vector<std::string>> received;
    for (const arrival& one : seen_.all())
        received[one.queue].push_back(one.body);
    EXPECT_EQ(received, expected) << "in order, and nobody died, so nothing twice";
}

// --- offsets that others move while it consumes
// ----------------------------------------------------------------------------------------------

class client_moved : public client_delivery {
  protected:
    void SetUp() override {
        producer_ = started_producer();
        ASSERT_TRUE(admin_.start());
    }
    void send(int first, int last) {
        for (int number = first; number < last; ++number)
            ASSERT_TRUE(producer_->send({.topic = topic_, .body = std::to_string(number)}));
    }
    std::vector<std::string> bodies_from(std::size_t first) {
        const auto all = seen_.bodies();
        return {all.begin() + static_cast<std::ptrdiff_t>(std::min(first, all.size())), all.end()};
    }
    // Where the group is in the topic's only queue.
    queue_offset place_of(const std::string& group) {
        const auto status = admin_.group(group);
        EXPECT_TRUE(status);
        if (status)
            for (const auto& each : status->queues)
                if (each.queue.topic == topic_)
                    return each.next;
        return queue_offset{-1};
    }

    const std::string topic_ = new_topic(broker(), 1);
    const std::string group_ = new_name("CID");
    std::unique_ptr<client::producer> producer_;
    client::admin admin_{to_broker()};
};

TEST_F(client_moved, delivers_again_from_where_it_is_reset_to) {
    send(0, 5);
    const auto consumer = collect(consumer_options(group_), topic_);
    ASSERT_TRUE(seen_.wait_for(5));
    ASSERT_TRUE(consumer->commit());
    ASSERT_TRUE(admin_.reset_group(group_, topic_, {.queue = queue_number{0}, .offset = queue_offset{2}}));
    ASSERT_TRUE(seen_.wait_for(8));
    EXPECT_THAT(bodies_from(5), ElementsAre("2", "3", "4"));
    send(5, 6);
    ASSERT_TRUE(seen_.wait_for(9));
    EXPECT_THAT(bodies_from(8), ElementsAre("5"));
    ASSERT_TRUE(consumer->commit());
    EXPECT_EQ(place_of(group_), queue_offset{6});
}

TEST_F(client_moved, skips_what_it_has_not_fetched) {
    send(0, 40);
    std::mutex gate;
    std::unique_lock closed{gate};
    auto options = consumer_options(group_);
    options.ordered = true; // one at a time
    options.pull_batch_messages = 1;
    options.max_cached_messages_per_queue = 1;
    const auto consumer = consume(options, topic_, [&](client::delivery got) {
        seen_.put(got);
        const std::lock_guard passing{gate};
        got.ack();
    });
    ASSERT_TRUE(seen_.wait_for(1));
    client::reset_target to_the_end;
    to_the_end.time = timestamp_ms{-1};
    EXPECT_TRUE(admin_.reset_group(group_, topic_, to_the_end));
    closed.unlock();
    send(40, 41);
    for (std::size_t count = 2; seen_.bodies().back() != "40"; ++count)
        ASSERT_TRUE(seen_.wait_for(count));
    EXPECT_LT(seen_.bodies().size(), 10U) << "what it had already, and the new one";
    ASSERT_TRUE(consumer->commit());
    EXPECT_EQ(place_of(group_), queue_offset{41});
}

TEST_F(client_moved, goes_on_where_the_group_is_that_it_is_given_the_offsets_of) {
    send(0, 5);
    const auto other = new_name("CID");
    {
        arrivals of_other;
        const auto first = consume(consumer_options(other), topic_, [&](client::delivery got) {
            of_other.put(got);
            got.ack();
        });
        ASSERT_TRUE(of_other.wait_for(5));
        ASSERT_TRUE(first->commit());
    }
    ASSERT_TRUE(admin_.reset_group(other, topic_, {.queue = queue_number{0}, .offset = queue_offset{3}}));
    const auto consumer = collect(consumer_options(group_), topic_);
    ASSERT_TRUE(seen_.wait_for(5));
    ASSERT_TRUE(consumer->commit());
    ASSERT_TRUE(admin_.clone_group(other, group_, topic_));
    ASSERT_TRUE(seen_.wait_for(7));
    EXPECT_THAT(bodies_from(5), ElementsAre("3", "4"));
}

// Within the new topic, and beyond its end.
TEST_F(client_moved, gets_every_message_of_a_topic_that_is_made_again) {
    send(0, 5);
    const auto consumer = collect(consumer_options(group_), topic_);
    ASSERT_TRUE(seen_.wait_for(5));
    ASSERT_TRUE(consumer->commit());
    std::vector<std::string> expected = seen_.bodies();
    wire_client tool{broker().broker_port()};
    for (const int count : {8, 3}) {
        ASSERT_EQ(tool.ask_raw(215, {{"topic", topic_}}).code(), 0);
        ASSERT_EQ(tool.ask_raw(17, {{"topic", topic_},
                                    {"defaultTopic", "TBW102"},
                                    {"readQueueNums", "1"},
                                    {"writeQueueNums", "1"},
                                    {"perm", "6"},
                                    {"topicFilterType", "SINGLE_TAG"}})
                      .code(),
                  0);
        for (int number = 0; number < count; ++number) {
            expected.push_back(std::to_string(count) + "/" + std::to_string(number));
            ASSERT_TRUE(producer_->send({.topic = topic_, .body = expected.back()}));
        }
        ASSERT_TRUE(seen_.wait_for(expected.size()));
        ASSERT_TRUE(consumer->commit());
    }
    EXPECT_THAT(seen_.bodies(), ::testing::UnorderedElementsAreArray(expected));
}

} // namespace
} // namespace holdfast::e2e
