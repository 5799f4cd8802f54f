#include "protocol/route.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

topic_route sample_route() {
    return {.queues =
                {{.broker_name = "broker-a", .read_queue_count = 8, .write_queue_count = 8, .permission = 6}},
            .brokers = {{.cluster = "DefaultCluster",
                         .broker_name = "broker-a",
                         .addresses = {{0, "127.0.0.1:10911"}, {1, "127.0.0.1:10921"}}}}};
}

// T10: the Go client takes the text of brokerAddrs apart; every client reads quoted ids.
TEST(Route, T10IsWrittenStandardQuotedAndWithoutBlanks) {
    EXPECT_EQ(
        encode_route(sample_route()),
        R"({"brokerDatas":[{"brokerAddrs":{"0":"127.0.0.1:10911","1":"127.0.0.1:10921"},"brokerName":"broker-a","cluster":"DefaultCluster"}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":8,"topicSysFlag":0,"writeQueueNums":8}]})");
}

TEST(Route, T10SlashesAreNotEscaped) {
    topic_route route = sample_route();
    route.brokers[0].cluster = "a/b";
    EXPECT_NE(encode_route(route).find("\"a/b\""), std::string::npos);
}

TEST(Route, RoundTrip) {
    topic_route route = sample_route();
    route.order_conf = "broker-a:4";
    const auto again = decode_route(as_bytes(encode_route(route)));
    ASSERT_TRUE(again) << again.failure();
    EXPECT_EQ(*again, route);
}

TEST(Route, UnknownKeysAndNullsOf5x) {
    const auto route = decode_route(as_bytes(
        R"({"brokerDatas":[{"brokerAddrs":{ 0 : "h:1"},"brokerName":"b","cluster":"c","enableActingMaster":false,"zoneName":null}],"queueDatas":null,"orderTopicConf":null,"topicQueueMappingByBroker":{}})"));
    ASSERT_TRUE(route) << route.failure();
    EXPECT_EQ(route->brokers[0].addresses.at(0), "h:1");
    EXPECT_TRUE(route->queues.empty());
}

TEST(Route, Refusals) {
    for (const std::string_view body : {"", "5", "{\"brokerDatas\":5}", "{\"brokerDatas\":[5]}",
                                        "{\"brokerDatas\":[{\"brokerAddrs\":{\"x\":\"h\"}}]}",
                                        "{\"brokerDatas\":[{\"brokerAddrs\":{0:5}}]}",
                                        "{\"queueDatas\":[{\"perm\":2147483648}]}", "{0", "{{", "{{}:"})
        EXPECT_FALSE(decode_route(as_bytes(body))) << body;
}

TEST(ClusterInfo, RoundTrip) {
    const cluster_info info{.brokers = {{"broker-a", sample_route().brokers[0]}},
                            .clusters = {{"DefaultCluster", {"broker-a"}}}};
    const std::string body = encode_cluster_info(info);
    EXPECT_EQ(
        body,
        R"({"brokerAddrTable":{"broker-a":{"brokerAddrs":{"0":"127.0.0.1:10911","1":"127.0.0.1:10921"},"brokerName":"broker-a","cluster":"DefaultCluster"}},"clusterAddrTable":{"DefaultCluster":["broker-a"]}})");
    const auto again = decode_cluster_info(as_bytes(body));
    ASSERT_TRUE(again) << again.failure();
    EXPECT_EQ(*again, info);
}

TEST(ClusterInfo, ClassicUnquotedIds) {
    const auto info = decode_cluster_info(as_bytes(
        R"({"brokerAddrTable":{"broker-a":{"brokerAddrs":{0:"127.0.0.1:10911"},"brokerName":"broker-a","cluster":"DefaultCluster"}},"clusterAddrTable":{"DefaultCluster":["broker-a"]}})"));
    ASSERT_TRUE(info) << info.failure();
    EXPECT_EQ(info->brokers.at("broker-a").addresses.at(0), "127.0.0.1:10911");
}

} // namespace
} // namespace holdfast::protocol
