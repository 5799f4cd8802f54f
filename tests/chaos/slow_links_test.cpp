// Messages that take longer to cross a link than a follower waits for a sign of life.
#include "client/producer.hpp"
#include "tests/chaos/node_group.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <thread>

namespace holdfast::chaos {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 40s;
constexpr std::size_t message_bytes = std::size_t{14} << 20U;
constexpr std::size_t bytes_per_s = std::size_t{6} << 20U; // 2.3 s a message; electionTimeout is 1 s

TEST(slow_links, large_messages_elect_nobody) {
    node_group group{{"--maxMessageSize=15M", "--logLevel=info"}};
    for (std::size_t node = 0; node < nodes; ++node)
        group.start(node);
    ASSERT_EQ(group.wait_until_whole(0, patience), "") << group.logs();
    const auto leader = group.leader();
    ASSERT_TRUE(leader);
    const auto before = group.status(*leader);
    ASSERT_TRUE(before);

    group.network().slow_down(bytes_per_s);
    client::producer_options options;
    options.client.name_servers = group.name_servers();
    options.client.request_timeout = 30s;
    options.send_timeout = 30s;
    options.retries = 0;
    options.max_message_bytes = message_bytes;
    options.compress_over_bytes = 0;
    client::producer producer{options};
    ASSERT_TRUE(producer.start().ok());
    const std::string film(message_bytes, 'x');
    EXPECT_TRUE(producer.send({.topic = "films", .body = film}).ok()) << group.logs();
    // Several at the same time: one must not be on its way behind the other.
    std::array<bool, 3> sent{};
    {
        std::array<std::jthread, 3> senders;
        for (std::size_t i = 0; i < senders.size(); ++i)
            senders[i] =
                std::jthread{[&, i] { sent[i] = producer.send({.topic = "films", .body = film}).ok(); }};
    }
    for (const bool one : sent)
        EXPECT_TRUE(one) << group.logs();

    const auto after = group.status(*leader);
    ASSERT_TRUE(after);
    EXPECT_EQ(group.leader(), leader);
    EXPECT_EQ(after->term, before->term);
    group.network().slow_down(0);
    EXPECT_EQ(group.wait_until_whole(0, patience), "") << group.logs();
}

} // namespace
} // namespace holdfast::chaos
