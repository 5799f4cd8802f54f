// The settings of a cluster, and how they go together.
#include "config/load.hpp"
#include "config/peers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace holdfast::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Optional;

constexpr std::string_view three = "peers = a@127.0.0.1:10912, b@127.0.0.1:10922, c@127.0.0.1:10932\n";

result<loaded_config> load_text(const std::string& text) {
    std::istringstream stream{text};
    return load(stream, "node.conf", {});
}

// The message with which it is refused; "accepted" when it is not.
std::string refused(const std::string& text) {
    const auto loaded = load_text(text);
    return loaded ? "accepted" : loaded.failure().message;
}

std::string with_three(const std::string& text) {
    return std::string{three} + text;
}

TEST(parse_peers, reads_names_hosts_and_ports) {
    EXPECT_THAT(parse_peers(""), Optional(IsEmpty()));
    EXPECT_THAT(parse_peers("  "), Optional(IsEmpty()));
    EXPECT_THAT(parse_peers("a@10.0.0.1:1 ,\tnode-b_2@b.example.org:65535"),
                Optional(ElementsAre(peer_address{"a", "10.0.0.1", 1},
                                     peer_address{"node-b_2", "b.example.org", 65535})));
    const auto seven = parse_peers("a@h:1,b@h:2,c@h:3,d@h:4,e@h:5,f@h:6,g@h:7");
    ASSERT_TRUE(seven);
    EXPECT_EQ(parse_peers(show_peers(*seven)), seven);
}

TEST(parse_peers, refuses_everything_else) {
    for (const auto* wrong : {"a",
                              "a@h",
                              "h:1",
                              "@h:1",
                              "a@:1",
                              "a@h:",
                              "a@h:0",
                              "a@h:65536",
                              "a@h:x",
                              "a@h:1,",
                              ",a@h:1",
                              "a b@h:1",
                              "a@h h:1",
                              "a@10.0.0.256:1",
                              "a@10.0.0:1",
                              "a@::1:1",
                              "a@h:1;b@h:2",
                              "a@-h:1",
                              "a:1@h",
                              "a@b@c:1",
                              "a@h:1,b@h:2,c@h:3,d@h:4,e@h:5,f@h:6,g@h:7,h@h:8"})
        EXPECT_EQ(parse_peers(wrong), std::nullopt) << wrong;
    EXPECT_EQ(parse_peers(std::string(128, 'a') + "@h:1"), std::nullopt);
    EXPECT_EQ(parse_peers("a@" + std::string(254, 'h') + ":1"), std::nullopt);
}

TEST(is_loopback, knows_this_machine) {
    EXPECT_TRUE(is_loopback("127.0.0.1"));
    EXPECT_TRUE(is_loopback("127.9.9.9"));
    EXPECT_TRUE(is_loopback("localhost"));
    for (const auto* other : {"10.0.0.1", "0.0.0.0", "127.example.org", "127", "node-a", "localhost.org"})
        EXPECT_FALSE(is_loopback(other)) << other;
}

TEST(cluster, is_one_node_without_peers) {
    const auto loaded = load_text("bindAddress = 127.0.0.2\n");
    ASSERT_TRUE(loaded) << loaded.failure();
    EXPECT_THAT(loaded->values.peers, IsEmpty());
    EXPECT_EQ(loaded->values.cluster_port, 10912);
    EXPECT_EQ(loaded->values.cluster_bind_address, "127.0.0.2");
    EXPECT_EQ(loaded->values.election_timeout, std::chrono::milliseconds{1'000});
    EXPECT_EQ(loaded->values.heartbeat_interval, std::chrono::milliseconds{100});
    EXPECT_EQ(loaded->values.replication_window_bytes, 16U << 20U);
    EXPECT_EQ(loaded->values.catch_up_bytes_per_s, 32U << 20U);
    EXPECT_EQ(refused("peers =\nbindAddress = 0.0.0.0\n"), "accepted");
    EXPECT_EQ(refused("nodeName = a\npeers = a@10.0.0.1:1\n"), "accepted") << "alone on its list";
}

TEST(cluster, has_the_others_as_peers) {
    const auto loaded = load_text(with_three("nodeName = b\n"));
    ASSERT_TRUE(loaded) << loaded.failure();
    EXPECT_THAT(loaded->values.peers,
                ElementsAre(peer_address{"a", "127.0.0.1", 10912}, peer_address{"c", "127.0.0.1", 10932}));
    EXPECT_EQ(loaded->values.cluster_port, 10922) << "as peers says of this node";
    EXPECT_THAT(loaded->warnings, IsEmpty());
    const auto without = load_text("nodeName = b\npeers = a@localhost:1, c@localhost:2\nclusterPort = 0\n");
    ASSERT_TRUE(without) << without.failure();
    EXPECT_EQ(without->values.peers.size(), 2U);
    EXPECT_EQ(without->values.cluster_port, 0);
}

TEST(cluster, reads_the_other_settings) {
    const auto loaded = load_text(with_three("nodeName = a\nelectionTimeout = 400\nheartbeatInterval = 50\n"
                                             "replicationWindowBytes = 64M\n"
                                             "clusterBindAddress = 127.0.0.5\n"));
    ASSERT_TRUE(loaded) << loaded.failure();
    EXPECT_EQ(loaded->values.election_timeout, std::chrono::milliseconds{400});
    EXPECT_EQ(loaded->values.heartbeat_interval, std::chrono::milliseconds{50});
    EXPECT_EQ(loaded->values.replication_window_bytes, 64U << 20U);
    EXPECT_EQ(loaded->values.cluster_bind_address, "127.0.0.5");
    EXPECT_THAT(loaded->warnings, IsEmpty());
}

TEST(cluster, wants_a_node_name_of_its_own) {
    EXPECT_THAT(refused(with_three("brokerName = a\n")),
                AllOf(HasSubstr("node.conf:1: "), HasSubstr("nodeName must be given")));
    EXPECT_THAT(refused("nodeName = c\npeers = a@127.0.0.1:1,b@127.0.0.1:2,a@127.0.0.1:3\n"),
                AllOf(HasSubstr("node.conf:2: "), HasSubstr("names 'a' twice")));
    EXPECT_THAT(refused("nodeName = c\npeers = a@127.0.0.1:1,b@127.0.0.1:1\n"),
                HasSubstr("'a' and 'b' the same address 127.0.0.1:1"));
}

TEST(cluster, wants_ports_that_agree) {
    EXPECT_THAT(refused(with_three("nodeName = a\nclusterPort = 1\n")),
                AllOf(HasSubstr("node.conf:3: clusterPort is 1"), HasSubstr("has port 10912")));
    EXPECT_EQ(refused(with_three("nodeName = a\nclusterPort = 10912\n")), "accepted");
    EXPECT_THAT(refused(with_three("nodeName = a\nlistenPort = 10912\n")),
                HasSubstr("clusterPort must differ from listenPort and namesrvPort"));
    EXPECT_EQ(refused("listenPort = 10912\n"), "accepted") << "one node alone has no cluster port";
}

TEST(cluster, warns_of_even_counts_and_refuses_more_than_seven) {
    const auto two = load_text("nodeName = a\npeers = b@127.0.0.1:1\n");
    ASSERT_TRUE(two) << two.failure();
    EXPECT_THAT(two->warnings,
                ElementsAre(AllOf(HasSubstr("2 nodes"), HasSubstr("the loss of 0, no more than 1 would"))));
    const auto four = load_text(with_three("nodeName = misspelt\n"));
    ASSERT_TRUE(four) << four.failure();
    EXPECT_THAT(four->warnings,
                ElementsAre(AllOf(HasSubstr("4 nodes (this one is 'misspelt')"), HasSubstr("loss of 1"),
                                  HasSubstr("a majority of 4 is 3"))));
    const std::string seven = "peers = a@localhost:1,b@localhost:2,c@localhost:3,d@localhost:4,"
                              "e@localhost:5,f@localhost:6,g@localhost:7\n";
    EXPECT_EQ(refused(seven + "nodeName = g\n"), "accepted");
    EXPECT_THAT(refused(seven + "nodeName = h\n"), HasSubstr("a group has 3, 5 or 7"));
}

TEST(cluster, wants_tls_beyond_this_machine_or_an_operators_word) {
    const std::string far = "nodeName = a\npeers = a@127.0.0.1:1,b@10.0.0.2:1,c@10.0.0.3:1\n";
    EXPECT_THAT(refused(far), AllOf(HasSubstr("node.conf:2: the peer b@10.0.0.2:1"),
                                    HasSubstr("`holdfast cert`"), HasSubstr("clusterInsecure = true")));
    EXPECT_THAT(refused("nodeName = a\npeers = a@10.0.0.1:1,b@127.0.0.1:1,c@127.0.0.1:2\n"),
                HasSubstr("the peer a@10.0.0.1:1"))
        << "this node's own address counts";
    EXPECT_THAT(refused(with_three("nodeName = a\nbindAddress = 0.0.0.0\nbrokerIP1 = 10.0.0.1\n")),
                HasSubstr("clusterBindAddress = 0.0.0.0"));
    EXPECT_EQ(refused(with_three("nodeName = a\nbindAddress = 0.0.0.0\nclusterBindAddress = 127.0.0.1\n")),
              "accepted");
    const auto insecure = load_text(far + "clusterInsecure = true\n");
    ASSERT_TRUE(insecure) << insecure.failure();
    EXPECT_THAT(insecure->warnings, ElementsAre(HasSubstr("without TLS")));
    const auto secure =
        load_text(far + "clusterTlsCert = a.crt\nclusterTlsKey = a.key\nclusterTlsCa = ca.crt\n");
    ASSERT_TRUE(secure) << secure.failure();
    EXPECT_EQ(secure->values.cluster_tls_cert, "a.crt");
    EXPECT_EQ(secure->values.cluster_tls_key, "a.key");
    EXPECT_EQ(secure->values.cluster_tls_ca, "ca.crt");
    EXPECT_THAT(secure->warnings, IsEmpty());
}

TEST(cluster, wants_all_of_tls_or_nothing) {
    EXPECT_THAT(refused("clusterTlsKey = k\n"), AllOf(HasSubstr("node.conf:1: "), HasSubstr("go together")));
    EXPECT_THAT(refused("clusterTlsCert = c\nclusterTlsCa = ca\n"), HasSubstr("all three or none"));
}

TEST(cluster, wants_heartbeats_well_within_the_election_timeout) {
    EXPECT_THAT(refused("electionTimeout = 300\n"),
                AllOf(HasSubstr("node.conf:1: heartbeatInterval (100)"), HasSubstr("electionTimeout (300)")));
    EXPECT_EQ(refused("electionTimeout = 301\n"), "accepted");
    EXPECT_THAT(refused("heartbeatInterval = 400\n"), HasSubstr("less than a third"));
    EXPECT_THAT(refused("electionTimeout = 99\n"), HasSubstr("from 100 to 60000"));
    EXPECT_THAT(refused("replicationWindowBytes = 1000\n"), HasSubstr("from 1M to 1G"));
    EXPECT_THAT(refused("peers = a@h\n"), HasSubstr("name@host:port"));
}

} // namespace
} // namespace holdfast::config
