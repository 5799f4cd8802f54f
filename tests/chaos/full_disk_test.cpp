// A leader whose disk is full lets another node lead.
#include "client/admin.hpp"
#include "client/producer.hpp"
#include "tests/chaos/node_group.hpp"
#include "tests/support/wait_for.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace holdfast::chaos {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto patience = 60s;

TEST(full_disk, of_a_leader_makes_another_node_lead) {
    node_group group{{}};
    for (std::size_t node = 0; node < nodes; ++node)
        group.start(node);
    ASSERT_EQ(group.wait_until_whole(0, patience), "") << group.logs();
    const auto full = group.leader();
    ASSERT_TRUE(full);
    // It has most of the log. So it leads again, since the others wait too long for being elected first.
    for (std::size_t node = 0; node < nodes; ++node)
        group.kill(node);
    for (std::size_t node = 0; node < nodes; ++node)
        group.start(node, {node == *full ? "--faultInjection=space:full" : "--electionTimeout=20000"});
    ASSERT_EQ(group.wait_until_whole(0, patience), "") << group.logs();
    ASSERT_EQ(group.leader(), full) << group.logs();

    EXPECT_TRUE(testing::wait_for(patience, [&] { return group.leader() != full && group.leader(); }))
        << group.logs();
    client::producer producer{
        {.client = {.name_servers = group.name_servers()}, .send_timeout = 20s, .retries = 100}};
    ASSERT_TRUE(producer.start().ok());
    const auto sent = producer.send({.topic = "full", .body = "taken"});
    EXPECT_TRUE(sent.ok()) << group.logs();
    ASSERT_EQ(group.wait_until_whole(0, patience), "") << group.logs();
    EXPECT_NE(group.leader(), full) << "it does not come back";
}

} // namespace
} // namespace holdfast::chaos
