#include "broker/producer_registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::broker {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using reception = producer_registry::reception;

class producer_registry_test : public ::testing::Test {
  protected:
    reception hear(const std::string& group, std::uint64_t connection) {
        producer_client client;
        client.connection = connection_id{connection};
        client.client_id = "client-" + std::to_string(connection);
        return registry.heard(group, client, now);
    }
    std::uint64_t next(const std::string& group) {
        return registry.next(group, now).value_or(connection_id{0}).value();
    }

    producer_registry registry{{.most_registrations = 5, .silence = seconds{120}}};
    producer_registry::time_point now{};
};

TEST_F(producer_registry_test, the_connections_of_a_group_take_turns) {
    EXPECT_EQ(next("orders"), 0U);
    EXPECT_EQ(hear("orders", 1), reception::first);
    EXPECT_EQ(hear("orders", 2), reception::known);
    EXPECT_EQ(hear("orders", 1), reception::known);
    EXPECT_EQ(hear("payments", 3), reception::first);
    EXPECT_EQ(next("orders"), 1U);
    EXPECT_EQ(next("orders"), 2U);
    EXPECT_EQ(next("orders"), 1U);
    EXPECT_EQ(next("payments"), 3U);
    EXPECT_EQ(next("payments"), 3U);
}

TEST_F(producer_registry_test, T15_a_closed_connection_is_asked_no_more) {
    hear("orders", 1);
    hear("orders", 2);
    hear("payments", 1);
    registry.closed(connection_id{1});
    EXPECT_EQ(next("orders"), 2U);
    EXPECT_EQ(next("orders"), 2U);
    EXPECT_EQ(next("payments"), 0U);
    registry.closed(connection_id{1});
    registry.closed(connection_id{2});
    EXPECT_THAT(registry.groups(), IsEmpty());
    EXPECT_EQ(hear("orders", 3), reception::first);
}

TEST_F(producer_registry_test, T16_a_connection_leaves_one_of_its_groups) {
    hear("orders", 1);
    hear("payments", 1);
    registry.left("orders", connection_id{1});
    registry.left("orders", connection_id{1});
    registry.left("no-such-group", connection_id{1});
    EXPECT_EQ(next("orders"), 0U);
    EXPECT_EQ(next("payments"), 1U);
}

TEST_F(producer_registry_test, silent_ones_are_not_asked) {
    hear("orders", 1);
    now += seconds{100};
    hear("orders", 2);
    now += seconds{21};
    EXPECT_EQ(next("orders"), 2U);
    EXPECT_EQ(next("orders"), 2U);
    EXPECT_EQ(registry.clients_of("orders").size(), 1U);
    now += seconds{100};
    EXPECT_EQ(next("orders"), 0U);
    EXPECT_EQ(hear("orders", 1), reception::first);
}

TEST_F(producer_registry_test, silent_ones_go_with_time) {
    hear("orders", 1);
    hear("payments", 1);
    now += seconds{60};
    hear("payments", 2);
    now += seconds{61};
    registry.expire(now);
    EXPECT_THAT(registry.groups(), UnorderedElementsAre("payments"));
    EXPECT_EQ(registry.clients_of("payments").front().client.client_id, "client-2");
}

TEST_F(producer_registry_test, is_bounded) {
    for (std::uint64_t connection = 1; connection <= 5; ++connection)
        EXPECT_NE(hear("orders", connection), reception::refused);
    EXPECT_EQ(hear("orders", 6), reception::refused);
    EXPECT_EQ(hear("payments", 1), reception::refused);
    EXPECT_EQ(hear("orders", 5), reception::known);
    EXPECT_THAT(registry.groups(), ElementsAre("orders"));
    registry.closed(connection_id{3});
    EXPECT_EQ(hear("payments", 1), reception::first);
}

} // namespace
} // namespace holdfast::broker
