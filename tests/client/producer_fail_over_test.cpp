#include "client/producer.hpp"
#include "tests/client/fake_broker.hpp"

#include <atomic>
#include <gtest/gtest.h>

namespace holdfast::client {
namespace {

using testing::fake_broker;

// Two nodes of one broker: each is a name server, and says that it leads.
class producer_at_two_nodes : public ::testing::Test {
  protected:
    producer_at_two_nodes() {
        first_->add_topic("T", 4);
        second_.add_topic("T", 4);
    }
    producer_options options() const {
        producer_options all;
        all.client.name_servers = first_->address() + ";" + second_.address();
        all.send_timeout = std::chrono::seconds{10};
        return all;
    }
    // The first node takes messages and never answers; the producer soon finds that strange.
    producer_options with_first_frozen() {
        first_->on(protocol::request_code::send_message_v2,
                   [](const testing::seen_request&) { return testing::script_says::stay_silent; });
        auto all = options();
        all.client.silence_limit = std::chrono::milliseconds{100};
        return all;
    }
    static message hello(std::string body) {
        return {.topic = "T", .body = std::move(body), .tag = {}, .keys = {}};
    }

    std::unique_ptr<fake_broker> first_ = std::make_unique<fake_broker>();
    fake_broker second_;
};

TEST_F(producer_at_two_nodes, goes_to_the_new_leader_when_the_old_one_is_gone) {
    producer sender{options()};
    ASSERT_TRUE(sender.start().ok());
    ASSERT_TRUE(sender.send(hello("before")).ok());
    first_.reset();
    const auto sent = sender.send(hello("after"));
    ASSERT_TRUE(sent.ok()) << sent.failure().message;
    EXPECT_EQ(second_.bodies("T"), std::vector<std::string>{"after"});
}

// What is not sent again must not stay at a dead node until the next look at the routes, in 30 s.
TEST_F(producer_at_two_nodes, finds_the_new_leader_without_retries) {
    auto with = options();
    with.retries = 0;
    producer sender{with};
    ASSERT_TRUE(sender.start().ok());
    ASSERT_TRUE(sender.send(hello("before")).ok());
    first_.reset();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    bool sent = false;
    while (!sent && std::chrono::steady_clock::now() < deadline)
        sent = sender.send(hello("after")).ok();
    EXPECT_TRUE(sent);
}

TEST_F(producer_at_two_nodes, leaves_a_frozen_leader_when_another_one_leads) {
    producer sender{with_first_frozen()};
    ASSERT_TRUE(sender.start().ok());
    std::atomic<int> stored{0};
    for (int number = 0; number < 100; ++number)
        sender.send_async(hello(std::to_string(number)), [&](const send_result& sent) {
            EXPECT_TRUE(sent.ok());
            ++stored;
        });
    EXPECT_TRUE(
        first_->wait_until([&] { return first_->count(protocol::request_code::send_message_v2) == 100; }));
    sender.shutdown();
    EXPECT_EQ(stored, 100);
    EXPECT_EQ(second_.bodies("T").size(), 100U);
}

// No name server can say where the topic has moved: it is nowhere yet.
TEST_F(producer_at_two_nodes, leaves_a_frozen_leader_with_the_first_message_of_a_topic) {
    producer sender{with_first_frozen()};
    ASSERT_TRUE(sender.start().ok());
    const auto sent = sender.send({.topic = "new", .body = "first", .tag = {}, .keys = {}});
    ASSERT_TRUE(sent.ok()) << sent.failure().message;
    EXPECT_EQ(second_.bodies("new"), std::vector<std::string>{"first"});
}

} // namespace
} // namespace holdfast::client
