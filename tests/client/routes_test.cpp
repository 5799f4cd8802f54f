#include "client/routes.hpp"
#include "client/runtime.hpp"

#include <gtest/gtest.h>

namespace holdfast::client {
namespace {

class routes : public ::testing::Test {
  protected:
    static protocol::topic_route two_brokers() {
        return {
            .order_conf = {},
            .queues = {{"b", 2, 1, 6, 0}, {"a", 1, 2, 6, 0}},
            .brokers = {
                {.cluster = "c", .broker_name = "a", .addresses = {{0, "127.0.0.1:1"}}},
                {.cluster = "c", .broker_name = "b", .addresses = {{0, "127.0.0.1:2"}, {1, "127.0.0.1:3"}}}}};
    }
    static std::vector<std::string> names(const std::vector<placed_queue>& queues) {
        std::vector<std::string> all;
        for (const placed_queue& each : queues)
            all.push_back(each.id.broker_name + std::to_string(each.id.queue.value()) + "@" +
                          each.broker->peer().text());
        return all;
    }
    using texts = std::vector<std::string>;
    runtime client_{client_options{}};
};

TEST_F(routes, list_readable_and_writable_queues_sorted) {
    const auto route = make_route("T", two_brokers(), client_.lookup());
    EXPECT_EQ(names(route->writable), (texts{"a0@127.0.0.1:1", "a1@127.0.0.1:1", "b0@127.0.0.1:2"}));
    EXPECT_EQ(names(route->readable), (texts{"a0@127.0.0.1:1", "b0@127.0.0.1:2", "b1@127.0.0.1:2"}));
    EXPECT_EQ(route->writable_queues.size(), 3U);
    EXPECT_FALSE(route->provisional);
}

TEST_F(routes, respect_permission_bits) {
    auto source = two_brokers();
    source.queues[0].permission = protocol::permission::read;
    source.queues[1].permission = protocol::permission::write;
    const auto route = make_route("T", source, client_.lookup());
    EXPECT_EQ(names(route->writable), (texts{"a0@127.0.0.1:1", "a1@127.0.0.1:1"}));
    EXPECT_EQ(names(route->readable), (texts{"b0@127.0.0.1:2", "b1@127.0.0.1:2"}));
}

TEST_F(routes, read_from_a_replica_but_never_write_to_it) {
    auto source = two_brokers();
    source.brokers[1].addresses.erase(0);
    const auto route = make_route("T", source, client_.lookup());
    EXPECT_EQ(names(route->writable), (texts{"a0@127.0.0.1:1", "a1@127.0.0.1:1"}));
    EXPECT_EQ(names(route->readable).back(), "b1@127.0.0.1:3");
}

TEST_F(routes, take_the_queues_of_an_ordered_topic_from_its_order) {
    auto source = two_brokers();
    source.order_conf = "b:3;nonsense;zz:2";
    const auto route = make_route("T", source, client_.lookup());
    EXPECT_EQ(names(route->writable), (texts{"b0@127.0.0.1:2", "b1@127.0.0.1:2", "b2@127.0.0.1:2"}));
}

TEST_F(routes, clamp_the_template_for_a_topic_to_be) {
    auto source = two_brokers();
    source.queues = {{"a", 8, 8, 7, 0}};
    const auto route = make_provisional_route("T", source, 4, client_.lookup());
    EXPECT_TRUE(route->provisional);
    EXPECT_EQ(route->writable.size(), 4U);
    EXPECT_EQ(route->writable[0].id.topic, "T");
    EXPECT_TRUE(route->readable.empty());
}

TEST_F(routes, leave_out_brokers_with_senseless_addresses) {
    auto source = two_brokers();
    source.brokers[0].addresses[0] = "nowhere";
    EXPECT_EQ(names(make_route("T", source, client_.lookup())->writable), (texts{"b0@127.0.0.1:2"}));
}

TEST_F(routes, are_kept_by_topic) {
    route_table table;
    EXPECT_EQ(table.find("T"), nullptr);
    const auto route = make_route("T", two_brokers(), client_.lookup());
    table.put("T", route);
    EXPECT_EQ(table.find("T"), route);
    EXPECT_EQ(table.topics(), (texts{"T"}));
    EXPECT_EQ(table.all().size(), 1U);
}

} // namespace
} // namespace holdfast::client
