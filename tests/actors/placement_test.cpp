#include "actors/placement.hpp"

#include "actors/bounded_transport.hpp"
#include "actors/peer_endpoint.hpp"
#include "cluster_fixture.hpp"

#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <caf/io/basp/header.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <optional>
#include <random>

namespace holdfast::actors {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// a and b, each with the other as peer, at ports that were free a moment ago.
struct two_nodes {
    std::uint16_t port_a = free_port();
    std::uint16_t port_b = free_port();

    [[nodiscard]] cluster_settings settings_a() const {
        auto settings = node_settings("a", {peer_at("b", port_b)});
        settings.port = port_a;
        return settings;
    }
    [[nodiscard]] cluster_settings settings_b() const {
        auto settings = node_settings("b", {peer_at("a", port_a)});
        settings.port = port_b;
        return settings;
    }
};

const std::string found_a = "found a disk-of-a ";
const std::string found_b = "found b disk-of-b ";

bool linked(cluster_node& a, cluster_node& b) {
    return a.heard.wait_for_event(found_b) && b.heard.wait_for_event(found_a);
}

std::string noise(std::size_t size) {
    std::minstd_rand random{7};
    std::string text(size, '\0');
    for (auto& byte : text)
        byte = static_cast<char>(random());
    return text;
}

TEST(placement, frames_arrive_whole_and_in_order) {
    const two_nodes ports;
    cluster_node a{ports.settings_a()};
    cluster_node b{ports.settings_b()};
    ASSERT_TRUE(linked(a, b));

    const auto big = noise(std::size_t{8} << 20U);
    std::vector<std::string> slices;
    for (std::size_t first = 0; first < big.size(); first += 10007)
        slices.push_back(big.substr(first, 10007));
    ASSERT_TRUE(a.links().send("b", {}));
    ASSERT_TRUE(a.links().send("b", make_frame("one", {"x"})));
    ASSERT_TRUE(a.links().send("b", make_frame("big", slices)));
    constexpr std::size_t many = 1000;
    for (std::size_t i = 0; i < many; ++i)
        ASSERT_TRUE(a.links().send("b", make_frame(std::to_string(i), {"body", std::to_string(i)})));
    ASSERT_TRUE(b.links().send("a", make_frame("back", {})));

    ASSERT_TRUE(b.heard.wait_for_frames(3 + many));
    const auto frames = b.heard.frames();
    EXPECT_EQ(frames[0].from, "a");
    EXPECT_TRUE(frames[0].frame.head.empty());
    EXPECT_TRUE(frames[0].frame.body.empty());
    EXPECT_EQ(frames[1].frame.head, "one");
    EXPECT_EQ(body_text(frames[1].frame), "x");
    EXPECT_EQ(frames[2].frame.head, "big");
    EXPECT_EQ(frames[2].frame.body.size(), 1U);
    EXPECT_TRUE(body_text(frames[2].frame) == big);
    for (std::size_t i = 0; i < many; ++i) {
        EXPECT_EQ(frames[3 + i].frame.head, std::to_string(i));
        EXPECT_EQ(body_text(frames[3 + i].frame), "body" + std::to_string(i));
    }
    ASSERT_TRUE(a.heard.wait_for_frames(1));
    EXPECT_EQ(a.heard.frames()[0].from, "b");
    EXPECT_EQ(a.heard.frames()[0].frame.head, "back");
}

TEST(placement, nothing_is_sent_to_a_peer_that_is_not_there) {
    const two_nodes ports;
    cluster_node a{ports.settings_a()};
    EXPECT_FALSE(a.links().send("b", make_frame("dropped", {})));
    EXPECT_FALSE(a.links().send("nobody", make_frame("dropped", {})));
    cluster_node b{ports.settings_b()};
    ASSERT_TRUE(linked(a, b));
    ASSERT_TRUE(a.links().send("b", make_frame("first", {})));
    ASSERT_TRUE(b.heard.wait_for_frames(1));
    EXPECT_EQ(b.heard.frames()[0].frame.head, "first");
}

TEST(placement, three_nodes_find_each_other) {
    const std::vector<std::string> names{"a", "b", "c"};
    const std::vector<std::uint16_t> ports{free_port(), free_port(), free_port()};
    std::vector<std::unique_ptr<cluster_node>> nodes;
    for (std::size_t own = 0; own < names.size(); ++own) {
        std::vector<cluster_peer> peers;
        for (std::size_t other = 0; other < names.size(); ++other)
            if (other != own)
                peers.push_back(peer_at(names[other], ports[other]));
        auto settings = node_settings(names[own], peers);
        settings.port = ports[own];
        nodes.push_back(std::make_unique<cluster_node>(settings));
    }
    for (std::size_t own = 0; own < names.size(); ++own)
        for (const auto& name : names) {
            const auto times = std::size_t{name == names[own] ? 0U : 1U};
            EXPECT_TRUE(nodes[own]->heard.wait_for_event("found " + name + " disk-of-" + name + " ", times));
        }
    nodes[1].reset();
    EXPECT_TRUE(nodes[0]->heard.wait_for_event("lost b", 1, 2s));
    EXPECT_TRUE(nodes[2]->heard.wait_for_event("lost b", 1, 2s));
    // Those that are left do not feel it.
    ASSERT_TRUE(nodes[0]->links().send("c", make_frame("on", {})));
    EXPECT_TRUE(nodes[2]->heard.wait_for_frames(1));
}

TEST(placement, hello_goes_both_ways_and_may_change) {
    const two_nodes ports;
    cluster_node a{ports.settings_a(), "empty log"};
    cluster_node b{ports.settings_b(), "17 entries"};
    EXPECT_TRUE(a.heard.wait_for_event(found_b + "17 entries"));
    EXPECT_TRUE(b.heard.wait_for_event(found_a + "empty log"));
    a.links().set_hello("1 entry");
    EXPECT_TRUE(b.heard.wait_for_event(found_a + "1 entry"));
    EXPECT_EQ(b.heard.events().size(), 2U);
    EXPECT_EQ(a.heard.events().size(), 1U);
}

TEST(placement, a_peer_that_ends_is_lost_and_found_when_it_is_back) {
    const two_nodes ports;
    cluster_node a{ports.settings_a()};
    std::optional<cluster_node> b{std::in_place, ports.settings_b()};
    ASSERT_TRUE(linked(a, *b));
    for (std::size_t life = 1; life <= 3; ++life) {
        const auto ended = steady_clock::now();
        b.reset();
        ASSERT_TRUE(a.heard.wait_for_event("lost b", life, 2s));
        EXPECT_LT(steady_clock::now() - ended, 2s);
        EXPECT_FALSE(a.links().send("b", make_frame("dropped", {})));
        // Another process, other data directory, same name.
        auto settings = ports.settings_b();
        settings.incarnation = "disk-" + std::to_string(life);
        b.emplace(settings);
        ASSERT_TRUE(a.heard.wait_for_event("found b disk-" + std::to_string(life) + " "));
        ASSERT_TRUE(b->heard.wait_for_event(found_a));
        ASSERT_TRUE(a.links().send("b", make_frame("again", {"body"})));
        ASSERT_TRUE(b->heard.wait_for_frames(1));
        EXPECT_EQ(b->heard.frames()[0].frame.head, "again");
    }
    EXPECT_EQ(a.heard.times("lost b"), 3U);
}

TEST(placement, links_stop_and_start_within_one_process) {
    const two_nodes ports;
    cluster_node a{ports.settings_a()};
    cluster_node b{ports.settings_b()};
    ASSERT_TRUE(linked(a, b));
    b.stop();
    ASSERT_TRUE(a.heard.wait_for_event("lost b", 1, 2s));
    EXPECT_EQ(b.heard.times("lost a"), 0U);
    b.start();
    ASSERT_TRUE(a.heard.wait_for_event(found_b, 2));
    ASSERT_TRUE(b.heard.wait_for_event(found_a, 2));
    ASSERT_TRUE(a.links().send("b", make_frame("again", {})));
    ASSERT_TRUE(b.heard.wait_for_frames(1));
}

// CAF drops what is sent to an actor that has ended unknown to the sender, without a word.
TEST(placement, an_endpoint_that_ends_is_lost_once_and_placed_again) {
    const two_nodes ports;
    cluster_node a{ports.settings_a()};
    cluster_node b{ports.settings_b()};
    ASSERT_TRUE(linked(a, b));
    // Whoever says it is a gets a's place at b; so does a's own link, right after.
    caf::scoped_actor self{b.system()};
    const peer_directory introduced{ports.settings_a()};
    ASSERT_TRUE(b.system().spawn<peer_endpoint_actor>(peer_endpoint_type, introduce(introduced)));
    ASSERT_TRUE(a.heard.wait_for_event("lost b", 1, 4s));
    ASSERT_TRUE(a.heard.wait_for_event(found_b, 2));
    EXPECT_EQ(a.heard.times("lost b"), 1U);
    ASSERT_TRUE(a.links().send("b", make_frame("again", {})));
    ASSERT_TRUE(b.heard.wait_for_frames(1));
}

TEST(placement, strangers_are_refused_until_they_fit) {
    const two_nodes ports;
    cluster_node b{ports.settings_b()};
    auto other_group = ports.settings_a();
    other_group.group = "broker-b";
    auto other_cluster = ports.settings_a();
    other_cluster.cluster = "other-cluster";
    auto other_name = ports.settings_a();
    other_name.name = "z";
    for (const auto& settings : {other_group, other_cluster, other_name}) {
        cluster_node stranger{settings};
        EXPECT_FALSE(stranger.heard.wait_for_event(found_b, 1, 700ms));
        EXPECT_FALSE(stranger.links().send("b", make_frame("refused", {})));
        EXPECT_TRUE(b.heard.events().empty());
    }
    cluster_node a{ports.settings_a()};
    EXPECT_TRUE(linked(a, b));
    EXPECT_TRUE(b.heard.frames().empty());
}

TEST(placement, a_node_under_a_wrong_name_is_not_taken_for_the_peer) {
    const two_nodes ports;
    auto settings = ports.settings_b();
    settings.name = "c";
    cluster_node c{settings};
    cluster_node a{ports.settings_a()};
    EXPECT_FALSE(a.heard.wait_for_event("found b disk-of-b ", 1, 700ms));
    EXPECT_TRUE(a.heard.events().empty());
    EXPECT_FALSE(a.links().send("b", make_frame("dropped", {})));
}

TEST(placement, a_port_in_use_is_reported) {
    const two_nodes ports;
    cluster_node a{ports.settings_a()};
    auto settings = node_settings("c", {});
    settings.port = ports.port_a;
    placement second{settings};
    caf::actor_system_config config;
    second.configure(config);
    caf::actor_system system{config};
    const auto receiver =
        system.spawn([](cluster_events_actor::pointer) -> cluster_events_actor::behavior_type {
            return {[](peer_atom, const std::string&, const peer_frame&) {},
                    [](found_atom, const std::string&, const std::string&, const std::string&) {},
                    [](lost_atom, const std::string&) {}};
        });
    const auto started = second.start(system, receiver);
    ASSERT_FALSE(started.ok());
    EXPECT_EQ(started.failure().code, errc::unavailable);
    EXPECT_NE(started.failure().message.find(std::to_string(ports.port_a)), std::string::npos);
    caf::anon_send_exit(receiver, caf::exit_reason::user_shutdown);
}

// Bytes that are no node, and connections that say nothing.
TEST(placement, garbage_and_half_open_connections_disturb_nobody) {
    namespace asio = boost::asio;
    using tcp = asio::ip::tcp;
    const two_nodes ports;
    cluster_node a{ports.settings_a()};
    cluster_node b{ports.settings_b()};
    ASSERT_TRUE(linked(a, b));
    asio::io_context context;
    const tcp::endpoint cluster_port{asio::ip::address_v4::loopback(), ports.port_b};
    std::vector<tcp::socket> strangers;
    for (std::size_t i = 0; i < 60; ++i) {
        auto& socket = strangers.emplace_back(context);
        socket.connect(cluster_port);
        boost::system::error_code ignored; // b may have hung up already
        if (i % 3 == 1)
            asio::write(socket, asio::buffer(noise(1000 + i)), ignored);
        if (i % 3 == 2)
            asio::write(socket, asio::buffer(std::string(31, '\0')), ignored);
    }
    for (std::size_t i = 0; i < 200; ++i)
        ASSERT_TRUE(a.links().send("b", make_frame(std::to_string(i), {noise(1000)})));
    ASSERT_TRUE(b.heard.wait_for_frames(200));
    // They stay open for longer than it takes to give up a silent node.
    EXPECT_FALSE(a.heard.wait_for_event("lost b", 1, 1500ms));
    EXPECT_EQ(b.heard.times("lost a"), 0U);
    strangers.clear();
    ASSERT_TRUE(a.links().send("b", make_frame("still", {})));
    EXPECT_TRUE(b.heard.wait_for_frames(201));
}

// A header of CAF's protocol: operation, three bytes, length of what follows (big-endian), three u64.
std::string basp_header(std::uint8_t operation, std::uint32_t payload_bytes) {
    std::string header(caf::io::basp::header_size, '\0');
    header[0] = static_cast<char>(operation);
    for (unsigned i = 0; i < 4; ++i)
        header[4 + i] = static_cast<char>(payload_bytes >> (24U - 8U * i));
    return header;
}

// The most memory that this process has had since reset_peak().
std::uint64_t peak_bytes() {
    std::ifstream status{"/proc/self/status"};
    for (std::string word; status >> word;)
        if (std::uint64_t kib = 0; word == "VmHWM:" && status >> kib)
            return kib << 10U;
    return 0;
}

void reset_peak() {
    std::ofstream{"/proc/self/clear_refs"} << '5';
}

// Issue 4, proof 3: a length in a header is a stranger's word, and CAF alone would make room for it.
TEST(placement, a_header_that_announces_gigabytes_costs_nothing) {
    namespace asio = boost::asio;
    using tcp = asio::ip::tcp;
    const two_nodes ports;
    cluster_node a{ports.settings_a()};
    cluster_node b{ports.settings_b()};
    ASSERT_TRUE(linked(a, b));
    asio::io_context context;
    const tcp::endpoint cluster_port{asio::ip::address_v4::loopback(), ports.port_b};
    reset_peak();
    const auto before = peak_bytes();
    ASSERT_GT(before, 0U);
    const auto heartbeat = basp_header(std::uint8_t(caf::io::basp::message_type::heartbeat), 0);
    std::size_t hung_up = 0;
    for (std::uint8_t operation = 0; operation <= std::uint8_t(caf::io::basp::message_type::heartbeat);
         ++operation)
        for (const auto& first : {std::string{}, heartbeat, heartbeat + heartbeat})
            for (const std::uint32_t claim : {70'000U, 2'000'000'000U, 4'294'967'295U}) {
                tcp::socket socket{context};
                socket.connect(cluster_port);
                boost::system::error_code ignored;
                asio::write(socket, asio::buffer(first + basp_header(operation, claim) + noise(100)),
                            ignored);
                // Until b hangs up; it may say its own handshake before.
                std::string said(4096, '\0');
                boost::system::error_code end;
                while (!end)
                    socket.read_some(asio::buffer(said), end);
                ++hung_up;
            }
    EXPECT_EQ(hung_up, 7U * 3U * 3U);
    EXPECT_LT(peak_bytes() - before, std::uint64_t{64} << 20U);
    EXPECT_EQ(a.heard.times("lost b"), 0U);
    ASSERT_TRUE(a.links().send("b", make_frame("still", {noise(peer_frame::most_body_bytes)})));
    EXPECT_TRUE(b.heard.wait_for_frames(1));
}

} // namespace
} // namespace holdfast::actors
