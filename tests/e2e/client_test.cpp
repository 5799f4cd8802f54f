// The C++ client library against the real broker.
#include "client/admin.hpp"
#include "client/producer.hpp"
#include "client/push_consumer.hpp"
#include "tests/e2e/shared_broker.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

namespace holdfast::e2e {
namespace {

using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using namespace std::chrono_literals;

client::client_options options_of(const testing::broker_process& broker) {
    return {.name_servers = broker.name_servers()};
}

std::unique_ptr<client::producer> started_producer(const testing::broker_process& broker,
                                                   std::chrono::milliseconds send_timeout = 10s) {
    client::producer_options options;
    options.client = options_of(broker);
    options.client.route_interval = 1s;
    options.send_timeout = send_timeout;
    auto made = std::make_unique<client::producer>(options);
    EXPECT_TRUE(made->start());
    return made;
}

// What arrived, by body; waits for it.
class inbox {
  public:
    void put(const client::delivery& got) {
        const std::lock_guard guard{mutex_};
        bodies_.emplace_back(got.body());
        changed_.notify_all();
    }
    // Waits until all of `wanted` came; says what is missing.
    void expect_all(const std::set<std::string>& wanted) {
        std::unique_lock lock{mutex_};
        const auto missing = [&] {
            std::set<std::string> left = wanted;
            for (const auto& body : bodies_)
                left.erase(body);
            return left;
        };
        changed_.wait_for(lock, patience, [&] { return missing().empty(); });
        EXPECT_EQ(missing(), std::set<std::string>{}) << "of " << wanted.size() << " messages";
    }
    std::vector<std::string> bodies() {
        const std::lock_guard guard{mutex_};
        return bodies_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> bodies_;
};

client::push_consumer_options consumer_options(const testing::broker_process& broker,
                                               const std::string& group) {
    client::push_consumer_options options;
    options.client = options_of(broker);
    options.group = group;
    options.from = client::consume_from::first;
    options.retry_first = 20ms;
    options.pull_error_delay = 50ms;
    options.commit_interval = 50ms;
    return options;
}

// Acknowledges everything into an inbox.
std::unique_ptr<client::push_consumer> collecting(const client::push_consumer_options& options,
                                                  const std::string& topic, inbox& to,
                                                  const std::string& expression = "*") {
    auto made = std::make_unique<client::push_consumer>(options);
    EXPECT_TRUE(made->subscribe(topic, expression));
    EXPECT_TRUE(made->start([&to](client::delivery got) {
        to.put(got);
        got.ack();
    }));
    return made;
}

std::set<std::string> numbered(const std::string& prefix, int count) {
    std::set<std::string> all;
    for (int i = 0; i < count; ++i)
        all.insert(prefix + std::to_string(i));
    return all;
}

void send_all(client::producer& producer, const std::string& topic, const std::set<std::string>& bodies) {
    std::mutex mutex;
    std::condition_variable done;
    std::size_t answered = 0;
    for (const auto& body : bodies)
        producer.send_async({.topic = topic, .body = body}, [&](const client::send_result& sent) {
            EXPECT_TRUE(sent.ok()) << sent.failure().message;
            const std::lock_guard guard{mutex};
            ++answered;
            done.notify_all();
        });
    std::unique_lock lock{mutex};
    ASSERT_TRUE(done.wait_for(lock, patience, [&] { return answered == bodies.size(); }));
}

// How many queues of the topic the member holds; it holds some of the retry topic too.
std::ptrdiff_t share(const client::push_consumer& member, const std::string& topic) {
    const auto held = member.assignment();
    return std::count_if(held.begin(), held.end(), [&](const auto& queue) { return queue.topic == topic; });
}

template <class Condition>
void eventually(Condition holds, const char* what) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!holds()) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "waited in vain for " << what;
        std::this_thread::sleep_for(5ms);
    }
}

// A new group begins at the end, if it wants to, but a group that is there skips nothing of a new queue.
TEST(client_e2e, a_consumer_of_an_old_topic_begins_at_the_end_and_in_a_new_queue_at_the_beginning) {
    const auto topic = new_topic(shared_broker(), 1);
    const auto producer = started_producer(shared_broker());
    client::admin admin{options_of(shared_broker())};
    ASSERT_TRUE(admin.start().ok());
    ASSERT_TRUE(producer->send({.topic = topic, .body = "old"}).ok());
    auto options = consumer_options(shared_broker(), new_name("CID"));
    options.from = client::consume_from::last;
    options.client.route_interval = 1s;
    inbox box;
    const auto consumer = collecting(options, topic, box);
    eventually(
        [&] {
            const auto status = admin.group(options.group);
            return status.ok() && std::ranges::any_of(status->queues, [&](const auto& each) {
                       return each.queue.topic == topic && each.next.value() == 1;
                   });
        },
        "the end to be stored as its beginning");
    ASSERT_TRUE(admin.create_topic(topic, {.read_queues = 2, .write_queues = 2}).ok());
    const auto in_the_new_one = [](const auto& queues, const auto&) { return queues.size() - 1; };
    // The producer learns of the queue in its own time.
    eventually([&] { return producer->queues(topic).value().size() == 2; }, "the new queue");
    ASSERT_TRUE(producer->send({.topic = topic, .body = "in the new queue"}, in_the_new_one).ok());
    box.expect_all({"in the new queue"});
    EXPECT_THAT(box.bodies(), ElementsAre("in the new queue"));
}

TEST(client_e2e, every_way_of_sending_arrives) {
    const auto topic = new_topic(shared_broker(), 4);
    const auto producer = started_producer(shared_broker());
    auto wanted = numbered("async-", 2000);
    send_all(*producer, topic, wanted);
    const auto sync = producer->send({.topic = topic, .body = "sync"});
    ASSERT_TRUE(sync.ok()) << sync.failure().message;
    EXPECT_EQ(sync.receipt().offset_message_id.size(), 32U);
    std::vector<client::message> batch;
    for (int i = 0; i < 50; ++i)
        batch.push_back({.topic = topic, .body = "batch-" + std::to_string(i), .tag = "T"});
    EXPECT_TRUE(producer->send_batch(batch).ok());
    const std::string large(100'000, 'z'); // compressed by the client
    EXPECT_TRUE(producer->send({.topic = topic, .body = large}).ok());
    for (int i = 0; i < 10; ++i)
        EXPECT_TRUE(producer->send_oneway({.topic = topic, .body = "oneway-" + std::to_string(i)}));
    wanted.merge(numbered("batch-", 50));
    wanted.merge(numbered("oneway-", 10));
    wanted.insert({"sync", large});
    inbox got;
    const auto consumer = collecting(consumer_options(shared_broker(), new_name("CID")), topic, got);
    got.expect_all(wanted);
    EXPECT_EQ(got.bodies().size(), wanted.size()) << "and nothing twice";
}

TEST(client_e2e, members_share_the_queues_and_lose_nothing_when_one_joins_or_leaves) {
    const auto topic = new_topic(shared_broker(), 8);
    const auto group = new_name("CID");
    const auto producer = started_producer(shared_broker());
    inbox all;
    const auto one = collecting(consumer_options(shared_broker(), group), topic, all);
    eventually([&] { return share(*one, topic) == 8; }, "the only member to hold all queues");
    auto wanted = numbered("alone-", 300);
    send_all(*producer, topic, wanted);
    inbox of_two;
    const auto two = collecting(consumer_options(shared_broker(), group), topic, of_two);
    eventually([&] { return share(*one, topic) == 4 && share(*two, topic) == 4; }, "equal shares");
    all.expect_all(wanted);
    const auto shared = numbered("shared-", 300);
    send_all(*producer, topic, shared);
    eventually([&] { return all.bodies().size() + of_two.bodies().size() >= 600; }, "both members' messages");
    EXPECT_FALSE(of_two.bodies().empty());
    one->shutdown(5s);
    eventually([&] { return share(*two, topic) == 8; }, "the last member to take over");
    const auto last = numbered("last-", 300);
    send_all(*producer, topic, last);
    of_two.expect_all(last);
    std::set<std::string> seen;
    for (auto* const box : {&all, &of_two})
        for (const auto& body : box->bodies())
            seen.insert(body);
    EXPECT_THAT(seen, IsSupersetOf(shared));
}

TEST(client_e2e, broadcasting_gives_everything_to_everybody) {
    const auto topic = new_topic(shared_broker(), 4);
    const auto producer = started_producer(shared_broker());
    const auto group = new_name("CID");
    const testing::temporary_directory here;
    const testing::temporary_directory there;
    std::array<inbox, 2> boxes;
    std::vector<std::unique_ptr<client::push_consumer>> members;
    for (std::size_t i = 0; i < 2; ++i) {
        auto options = consumer_options(shared_broker(), group);
        options.model = client::message_model::broadcasting;
        options.offset_directory = i == 0 ? here.path() : there.path();
        members.push_back(collecting(options, topic, boxes[i]));
    }
    const auto wanted = numbered("m", 200);
    send_all(*producer, topic, wanted);
    for (auto& box : boxes)
        box.expect_all(wanted);
}

TEST(client_e2e, a_tag_filter_selects) {
    const auto topic = new_topic(shared_broker(), 2);
    const auto producer = started_producer(shared_broker());
    for (int i = 0; i < 60; ++i)
        ASSERT_TRUE(producer
                        ->send({.topic = topic,
                                .body = "m" + std::to_string(i),
                                .tag = i % 3 == 0   ? "A"
                                       : i % 3 == 1 ? "B"
                                                    : "C"})
                        .ok());
    std::set<std::string> wanted;
    for (int i = 0; i < 60; ++i)
        if (i % 3 != 1)
            wanted.insert("m" + std::to_string(i));
    inbox got;
    const auto consumer =
        collecting(consumer_options(shared_broker(), new_name("CID")), topic, got, "A || C");
    got.expect_all(wanted);
    EXPECT_EQ(got.bodies().size(), wanted.size());
}

TEST(client_e2e, messages_are_found_by_id_key_and_time) {
    const auto topic = new_topic(shared_broker());
    const auto producer = started_producer(shared_broker());
    ASSERT_TRUE(producer->send({.topic = topic, .body = "before"}).ok());
    std::this_thread::sleep_for(5ms); // another millisecond of store time
    const auto sent =
        producer->send({.topic = topic, .body = "wanted", .tag = "T", .keys = "order-7 customer-9"});
    ASSERT_TRUE(sent.ok());
    client::admin admin{options_of(shared_broker())};
    ASSERT_TRUE(admin.start());
    const auto by_id = admin.message_by_id(sent.receipt().offset_message_id);
    ASSERT_TRUE(by_id) << by_id.failure();
    EXPECT_EQ(by_id->body, "wanted");
    EXPECT_EQ(by_id->tag, "T");
    EXPECT_EQ(by_id->offset, queue_offset{1});
    std::string found;
    eventually(
        [&] {
            const auto by_key = admin.messages_by_key(topic, "customer-9", 10);
            if (by_key && by_key->size() == 1)
                found = by_key->front().body;
            return !found.empty();
        },
        "the key index");
    EXPECT_EQ(found, "wanted");
    const client::message_queue queue{topic, sent.receipt().broker_name, queue_number{0}};
    const auto at = admin.offset_at(queue, by_id->stored_at);
    ASSERT_TRUE(at) << at.failure();
    EXPECT_EQ(*at, queue_offset{1});
    EXPECT_FALSE(admin.message_by_id("7F000001000000010000000000000001")) << "nobody listens on port 1";
}

TEST(client_e2e, a_restarted_consumer_goes_on_in_order_after_the_last_acknowledged) {
    const auto topic = new_topic(shared_broker());
    const auto group = new_name("CID");
    const auto producer = started_producer(shared_broker());
    for (int i = 0; i < 200; ++i)
        ASSERT_TRUE(producer->send({.topic = topic, .body = std::to_string(i)}).ok());
    auto options = consumer_options(shared_broker(), group);
    options.listener_threads = 1;
    std::vector<client::delivery> kept; // in work when the consumer ends
    std::mutex mutex;
    std::vector<int> first_run;
    {
        client::push_consumer consumer{options};
        ASSERT_TRUE(consumer.subscribe(topic));
        ASSERT_TRUE(consumer.start([&](client::delivery got) {
            const std::lock_guard guard{mutex};
            first_run.push_back(std::stoi(std::string{got.body()}));
            if (first_run.back() < 100)
                got.ack();
            else
                kept.push_back(std::move(got));
        }));
        eventually(
            [&] {
                const std::lock_guard guard{mutex};
                return first_run.size() == 200;
            },
            "all deliveries");
        consumer.shutdown();
    }
    kept.clear();
    std::vector<int> expected(200);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(first_run, expected) << "one queue, one thread: in order";
    std::vector<int> second_run;
    client::push_consumer consumer{options};
    ASSERT_TRUE(consumer.subscribe(topic));
    ASSERT_TRUE(consumer.start([&](client::delivery got) {
        const std::lock_guard guard{mutex};
        second_run.push_back(std::stoi(std::string{got.body()}));
        got.ack();
    }));
    eventually(
        [&] {
            const std::lock_guard guard{mutex};
            return !second_run.empty() && second_run.back() == 199;
        },
        "the rest");
    const std::lock_guard guard{mutex};
    EXPECT_EQ(second_run, std::vector<int>(expected.begin() + 100, expected.end()));
}

TEST(client_e2e, retries_come_again_and_handles_may_be_settled_elsewhere) {
    own_broker broker{{"--messageDelayLevel=1s"}};
    const auto topic = new_topic(*broker, 2);
    const auto producer = started_producer(*broker);
    const auto wanted = numbered("m", 60);
    send_all(*producer, topic, wanted);
    std::mutex mutex;
    std::map<std::string, std::uint32_t> acknowledged; // at which retry
    std::vector<std::thread> workers;
    client::push_consumer consumer{consumer_options(*broker, new_name("CID"))};
    ASSERT_TRUE(consumer.subscribe(topic));
    ASSERT_TRUE(consumer.start([&](client::delivery got) {
        const auto number = std::stoi(std::string{got.body().substr(1)});
        const bool first_time = got.reconsume_times() == 0;
        if (first_time && number % 3 == 0)
            return got.retry_later();
        if (first_time && number % 3 == 1)
            return; // dropped without a word
        const std::lock_guard guard{mutex};
        workers.emplace_back([&, handle = std::move(got)]() mutable {
            const std::lock_guard inner{mutex};
            acknowledged[std::string{handle.body()}] = handle.reconsume_times();
            handle.ack();
        });
    }));
    eventually(
        [&] {
            const std::lock_guard guard{mutex};
            return acknowledged.size() == wanted.size();
        },
        "every message");
    EXPECT_TRUE(consumer.commit());
    consumer.shutdown(1s);
    for (auto& worker : workers)
        worker.join();
    for (const auto& [body, times] : acknowledged)
        EXPECT_EQ(times, std::stoi(body.substr(1)) % 3 == 2 ? 0U : 1U) << body;
}

TEST(client_e2e, kill_9_in_the_middle_loses_nothing_that_was_answered) {
    own_broker broker;
    const auto topic = new_topic(*broker, 4);
    const auto producer = started_producer(*broker);
    inbox got;
    const auto consumer = collecting(consumer_options(*broker, "CID_kill"), topic, got);
    std::mutex mutex;
    std::set<std::string> answered;
    std::atomic<bool> running{true};
    std::thread sender{[&] {
        for (int i = 0; running; ++i) {
            auto body = "load-" + std::to_string(i);
            producer->send_async({.topic = topic, .body = body}, [&, body](const client::send_result& sent) {
                const std::lock_guard guard{mutex};
                if (sent.ok())
                    answered.insert(body);
            });
            std::this_thread::sleep_for(200us);
        }
    }};
    const auto count = [&] {
        const std::lock_guard guard{mutex};
        return answered.size();
    };
    eventually([&] { return count() > 500; }, "load before the kill");
    broker.kill();
    const auto before = count();
    broker.restart();
    eventually([&] { return count() > before + 500; }, "answers after the restart");
    running = false;
    sender.join();
    producer->shutdown();
    got.expect_all(answered);
}

// Sessions in the middle of their work when the node ends.
TEST(client_e2e, sigterm_under_load_ends_with_status_0) {
    for (int round = 0; round < 3; ++round) {
        own_broker broker;
        const auto topic = new_topic(*broker, 4);
        const auto producer = started_producer(*broker, 1s); // what is not answered by the end never is
        const std::string body(2'000, 'x');
        for (int i = 0; i < 5'000; ++i)
            producer->send_async({.topic = topic, .body = body}, [](const client::send_result&) {});
        std::array<inbox, 3> boxes;
        std::vector<std::unique_ptr<client::push_consumer>> consumers;
        for (auto& box : boxes)
            consumers.push_back(collecting(consumer_options(*broker, new_name("CID")), topic, box));
        eventually([&] { return !boxes[0].bodies().empty(); }, "the first deliveries");
        EXPECT_EQ(broker->terminate(patience), 0) << "round " << round << "\n" << broker->log();
    }
}

} // namespace
} // namespace holdfast::e2e
