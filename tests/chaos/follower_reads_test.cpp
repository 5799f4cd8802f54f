// A backlog is consumed from the followers of a group (slaveReadEnable), and one of them is killed meanwhile.
#include "client/admin.hpp"
#include "client/producer.hpp"
#include "client/push_consumer.hpp"
#include "protocol/message_id.hpp"
#include "protocol/stored_message.hpp"
#include "tests/chaos/node_group.hpp"
#include "tests/crash/wire_client.hpp"
#include "tests/support/wait_for.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <set>
#include <thread>

namespace holdfast::chaos {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 40s;
constexpr int messages = 2'400; // 7 MiB
const std::string padding(3'000, 'x');

class follower_reads : public ::testing::Test {
  protected:
    void SetUp() override {
        for (std::size_t node = 0; node < nodes; ++node)
            group_.start(node);
        ASSERT_EQ(group_.wait_until_whole(0, patience), "") << group_.logs();
        client::admin admin{to_group()};
        ASSERT_TRUE(admin.start().ok());
        ASSERT_TRUE(admin.create_topic("backlog", {.read_queues = 4, .write_queues = 4}).ok());
        send_all();
        ASSERT_EQ(group_.wait_until_whole(0, patience), "") << group_.logs();
    }

    [[nodiscard]] client::client_options to_group() const { return {.name_servers = group_.name_servers()}; }

    // Where clients reach the node.
    [[nodiscard]] std::uint16_t port_of(std::size_t node) const {
        const auto told = group_.status(node);
        if (told)
            for (const auto& member : told->members)
                if (member.name == node_group::name_of(node))
                    return static_cast<std::uint16_t>(
                        std::stoi(member.address.substr(member.address.rfind(':') + 1)));
        return 0;
    }

    void send_all() {
        client::producer producer{{.client = to_group()}};
        ASSERT_TRUE(producer.start().ok());
        std::latch done{messages};
        std::atomic<int> failed{0};
        for (int i = 0; i < messages; ++i)
            producer.send_async({.topic = "backlog", .body = std::to_string(i) + " " + padding},
                                [&](const client::send_result& answer) {
                                    failed += answer.ok() ? 0 : 1;
                                    done.count_down();
                                });
        done.wait();
        ASSERT_EQ(failed, 0);
    }

    // What consumers got from the node; 0 when it does not answer.
    [[nodiscard]] std::uint64_t served_by(std::size_t node) const {
        const auto told = group_.status(node);
        return told ? told->messages_got : 0;
    }
    // A busy machine must not elect another leader meanwhile.
    node_group group_{
        {"--slaveReadEnable=true", "--entryCacheBytes=1M", "--electionTimeout=4000", "--logLevel=info"}};
};

TEST_F(follower_reads, a_follower_finds_messages_by_id_and_refuses_what_it_does_not_find) {
    client::producer producer{{.client = to_group()}};
    ASSERT_TRUE(producer.start().ok());
    const auto sent = producer.send({.topic = "backlog", .body = "the one"});
    ASSERT_TRUE(sent.ok());
    const auto id = protocol::parse_message_id(sent.receipt().offset_message_id);
    ASSERT_TRUE(id.ok());
    ASSERT_EQ(group_.wait_until_whole(0, patience), "") << group_.logs();
    crash::wire_client follower{port_of(group_.leader() == 0U ? 1 : 0)};
    const auto found = follower.ask(protocol::view_message_request{.offset = id->position});
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->ok()) << found->command.remark();
    const auto message = protocol::decode_stored_message(found->command.body());
    ASSERT_TRUE(message.ok());
    EXPECT_EQ(as_text(message->body), "the one");
    for (const auto nowhere : {id->position + 1, log_position{1U << 30U}}) {
        const auto lost = follower.ask(protocol::view_message_request{.offset = nowhere});
        ASSERT_TRUE(lost);
        EXPECT_EQ(lost->code(), static_cast<int>(protocol::response_code::service_not_available))
            << lost->command.remark();
    }
}

TEST_F(follower_reads, explain_says_on_which_nodes_a_message_is) {
    client::producer producer{{.client = to_group()}};
    client::admin admin{to_group()};
    ASSERT_TRUE(producer.start().ok());
    ASSERT_TRUE(admin.start().ok());
    // The names of those that have it, and of those that lack some of the log before it.
    const auto replicas = [&](const client::send_result& sent) {
        const auto page = admin.explain(sent.receipt().offset_message_id, "");
        const auto answer = nlohmann::json::parse(page.ok() ? *page : "", nullptr, false);
        std::string have;
        std::string lack;
        if (answer.is_object() && answer.contains("message"))
            for (const auto& one : answer["message"]["replicas"])
                (one["flushed"] == true && one["behind"] == 0 ? have : lack) +=
                    one["node"].get<std::string>();
        std::sort(have.begin(), have.end());
        return have + "/" + lack;
    };
    const auto sent = producer.send({.topic = "backlog", .body = "on all three"});
    ASSERT_TRUE(sent.ok());
    EXPECT_TRUE(testing::wait_for(patience, [&] { return replicas(sent) == "abc/"; })) << replicas(sent);
    const std::size_t follower = group_.leader() == 0U ? 1 : 0;
    group_.kill(follower);
    const auto second = producer.send({.topic = "backlog", .body = "on two"});
    ASSERT_TRUE(second.ok());
    const auto dead = node_group::name_of(follower);
    auto others = std::string{"abc"};
    others.erase(others.find(dead), 1);
    EXPECT_TRUE(testing::wait_for(patience, [&] { return replicas(second) == others + "/" + dead; }))
        << replicas(second);
    EXPECT_EQ(replicas(sent), "abc/") << "what it had it has";
}

TEST_F(follower_reads, a_backlog_comes_from_followers_and_nothing_is_skipped_when_one_dies) {
    std::mutex mutex;
    std::condition_variable changed;
    std::set<int> got;
    bool is_open = false;

    client::push_consumer consumer{{.client = to_group(),
                                    .group = "readers",
                                    .from = client::consume_from::first,
                                    .listener_threads = 2,
                                    .pull_batch_messages = 16,
                                    .max_cached_messages_per_queue = 64}};
    ASSERT_TRUE(consumer.subscribe("backlog").ok());
    // Nothing is settled before the gate opens, and so nothing is pulled beyond what the cache takes.
    const auto started = consumer.start([&](client::delivery message) {
        std::unique_lock lock{mutex};
        changed.wait(lock, [&] { return is_open; });
        got.insert(std::stoi(std::string{message.body()}));
        changed.notify_all();
        lock.unlock();
        message.ack();
    });
    ASSERT_TRUE(started.ok());

    const auto leader = group_.leader();
    const std::size_t first = leader == 0U ? 1 : 0;
    const std::size_t second = 3 - leader.value_or(0) - first;
    const bool both_served =
        testing::wait_for(patience, [&] { return served_by(first) > 0 && served_by(second) > 0; });
    EXPECT_TRUE(both_served) << served_by(0) << ", " << served_by(1) << ", " << served_by(2);
    const auto before = served_by(second);
    group_.kill(first);
    {
        const std::lock_guard lock{mutex};
        is_open = true;
    }
    changed.notify_all();

    {
        std::unique_lock lock{mutex};
        EXPECT_TRUE(changed.wait_for(lock, patience, [&] { return got.size() == messages; }))
            << got.size() << " of " << messages << " came";
    }
    EXPECT_GT(served_by(second), before) << "the other follower went on";
    consumer.shutdown(5s);

    // What was committed is the end of every queue: nothing is left, and nothing was skipped on the way.
    client::admin admin{to_group()};
    ASSERT_TRUE(admin.start().ok());
    const auto standing = admin.group("readers");
    ASSERT_TRUE(standing.ok());
    EXPECT_EQ(standing->behind(), 0);
    EXPECT_EQ(group_.leader(), leader);
}

} // namespace
} // namespace holdfast::chaos
