#include "protocol/cluster_status.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

cluster_status leader() {
    return {.group = "broker-a",
            .node = "a",
            .role = replica_role::leader,
            .term = term_number{7},
            .leader = "a",
            .members = {{.name = "a", .incarnation = "0a", .voter = true, .address = "127.0.0.1:1"},
                        {.name = "b", .incarnation = "0b", .voter = false, .address = "127.0.0.1:2"}},
            .watermarks = {.first = log_position{1},
                           .appended = log_position{5},
                           .flushed = log_position{4},
                           .committed = log_position{3},
                           .applied = log_position{2}},
            .messages_got = 9,
            .followers = {{.name = "b",
                           .matched = log_position{3},
                           .lag_bytes = 2,
                           .last_heard_ms = -1,
                           .state = "probing"}}};
}

TEST(ClusterStatus, IsJson) {
    EXPECT_EQ(
        encode_cluster_status(leader()),
        R"({"followers":[{"lag_bytes":2,"last_heard_ms":-1,"matched":3,"name":"b","state":"probing"}],)"
        R"("group":"broker-a","leader":"a","members":[{"address":"127.0.0.1:1","incarnation":"0a","name":"a","voter":true},)"
        R"({"address":"127.0.0.1:2","incarnation":"0b","name":"b","voter":false}],"messages_got":9,"node":"a","role":"leader","term":7,)"
        R"("watermarks":{"appended":5,"applied":2,"committed":3,"first":1,"flushed":4}})");
}

TEST(ClusterStatus, ComesBackAsItWas) {
    for (const auto role :
         {replica_role::leader, replica_role::follower, replica_role::candidate, replica_role::learner}) {
        auto status = leader();
        status.role = role;
        const auto again = decode_cluster_status(as_bytes(encode_cluster_status(status)));
        ASSERT_TRUE(again) << again.failure();
        EXPECT_EQ(*again, status);
    }
    const auto bare = decode_cluster_status(as_bytes(R"({"group":"g","node":"n","role":"candidate"})"));
    ASSERT_TRUE(bare) << bare.failure();
    EXPECT_EQ(*bare, (cluster_status{.group = "g", .node = "n", .role = replica_role::candidate}));
}

TEST(ClusterStatus, RefusesWhatCannotBe) {
    for (const char* wrong :
         {"", "[]", R"({"node":"n","role":"leader"})", R"({"group":"g","role":"leader"})",
          R"({"group":"g","node":"n"})", R"({"group":"g","node":"n","role":"king"})",
          R"({"group":"g","node":"n","role":"leader","term":-1})",
          R"({"group":"g","node":"n","role":"leader","messages_got":-1})",
          R"({"group":"g","node":"n","role":"leader","members":{}})",
          R"({"group":"g","node":"n","role":"leader","members":[{"voter":true}]})",
          R"({"group":"g","node":"n","role":"leader","members":["a"]})",
          R"({"group":"g","node":"n","role":"leader","watermarks":{"applied":-5}})",
          R"({"group":"g","node":"n","role":"leader","watermarks":{"first":"x"}})",
          R"({"group":"g","node":"n","role":"leader","followers":[{"name":"b","lag_bytes":-1}]})",
          R"({"group":"g","node":"n","role":"leader","followers":[{"lag_bytes":1}]})"})
        EXPECT_FALSE(decode_cluster_status(as_bytes(std::string_view{wrong}))) << wrong;
}

} // namespace
} // namespace holdfast::protocol
