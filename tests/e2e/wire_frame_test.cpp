// Frames, dialects and bad manners. Traps are those of protocol reference 12.
#include "protocol/heartbeat.hpp"
#include "tests/e2e/shared_broker.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

namespace holdfast::e2e {
namespace {

using protocol::serialize_type;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class wire_frame : public ::testing::TestWithParam<serialize_type> {
  protected:
    wire_client client{shared_broker().broker_port(), GetParam()};

    // Whether the broker serves others; everything of this file ends with it.
    static void expect_others_are_served(const std::string& topic) {
        wire_client other{shared_broker().broker_port()};
        const auto sent = other.send(message_to(topic, "well"));
        EXPECT_EQ(sent.code(), 0) << described(sent);
    }
};

std::string big(std::uint32_t value) {
    std::string bytes(4, '\0');
    store_big(reinterpret_cast<std::byte*>(bytes.data()), value);
    return bytes;
}

TEST_P(wire_frame, answers_come_in_the_dialect_of_the_request) {
    const auto topic = new_topic(shared_broker());
    protocol::get_max_offset_request end;
    end.topic = topic;
    for (const auto& got :
         {client.send(message_to(topic, "x")), client.ask(pull_of(topic, 0)), client.ask(end),
          client.ask_raw(4711), client.ask_raw(202, {{"topic", topic}}), client.ask_raw(34)})
        EXPECT_EQ(got.command.serialize(), GetParam()) << described(got);
}

TEST_P(wire_frame, name_service_and_broker_answer_on_either_port) {
    wire_client names{shared_broker().name_service_port(), GetParam()};
    const auto topic = new_topic(shared_broker());
    EXPECT_EQ(names.ask_raw(105, {{"topic", topic}}).code(), 0);
    EXPECT_EQ(client.ask_raw(105, {{"topic", topic}}).code(), 0);
    EXPECT_THAT(names.ask_raw(106).body(),
                HasSubstr("\"clusterAddrTable\":{\"DefaultCluster\":[\"broker-a\"]}"));
}

// Clients share one connection to an address, and close it when a request times out.
TEST_P(wire_frame, T23_name_service_and_broker_have_ports_and_so_connections_of_their_own) {
    ASSERT_NE(shared_broker().name_service_port(), shared_broker().broker_port());
    const auto topic = new_topic(shared_broker());
    wire_client names{shared_broker().name_service_port(), GetParam()};
    EXPECT_EQ(names.ask_raw(105, {{"topic", topic}}).code(), 0);
    auto held = pull_of(topic, 0);
    held.sys_flag |= protocol::pull_flag::suspend;
    held.suspend_timeout_ms = 15'000;
    const auto opaque = client.tell(held);
    names.close(); // as a client does whose route came too late
    wire_client other{shared_broker().broker_port()};
    ASSERT_EQ(other.send(message_to(topic, "x")).code(), 0);
    EXPECT_EQ(client.answer_to(opaque).records().size(), 1U) << "the broker's connection lives on";
}

TEST_P(wire_frame, an_unknown_code_gets_code_3_and_the_connection_lives_on) {
    for (const std::int32_t code : {39, 99, 325, 4711, 32767, -1}) {
        const auto got = client.ask_raw(code);
        EXPECT_EQ(got.code(), 3) << code;
        EXPECT_EQ(got.remark(), " request type " + std::to_string(code) + " not supported");
    }
    EXPECT_EQ(client.ask_raw(106).code(), 0);
}

TEST_P(wire_frame, T9_a_request_flagged_oneway_is_never_answered) {
    const auto topic = new_topic(shared_broker());
    const auto group = new_name("CID");
    const auto beat =
        protocol::encode_heartbeat({"c1", {}, {{.group = group, .subscriptions = {{.topic = topic}}}}});
    const std::vector<std::pair<std::string, std::string>> queue{{"topic", topic},
                                                                 {"queueId", "0"},
                                                                 {"consumerGroup", group},
                                                                 {"commitOffset", "0"},
                                                                 {"timestamp", "0"}};
    for (const std::int32_t code :
         {10, 310, 320, 11, 12,  14,  15,  17,  21,  28,  29,  30,  31,  32,  33,  35,  36,  37,
          38, 41,  42,  46, 100, 101, 105, 106, 200, 201, 202, 203, 206, 207, 208, 215, 300, 4711})
        client.tell_raw(code, queue, {}, true);
    client.tell_raw(34, {}, beat, true);
    client.tell(pull_of(topic, 0), {}, true);
    client.tell(pull_of(topic, 99), {}, true);
    // One request to everybody who may have answered; what was asked before was answered before.
    EXPECT_EQ(client.ask_raw(34, {}, beat).code(), 0);
    EXPECT_EQ(client.ask_raw(206).code(), 0);
    EXPECT_EQ(client.ask_raw(28).code(), 0);
    EXPECT_EQ(client.ask_raw(31, queue).code(), 0);
    for (int each_reader = 0; each_reader < 8; ++each_reader)
        (void)client.ask_raw(32, queue);
    while (const auto more = client.read(std::chrono::milliseconds{100}))
        EXPECT_FALSE(more->command.is_response())
            << "oneway request " << more->command.opaque() << " was answered: " << described(*more);
}

TEST_P(wire_frame, T9_without_the_flag_a_commit_is_answered) {
    const auto topic = new_topic(shared_broker());
    EXPECT_EQ(
        client
            .ask_raw(15,
                     {{"topic", topic}, {"queueId", "0"}, {"consumerGroup", "CID_go"}, {"commitOffset", "0"}})
            .code(),
        0);
}

TEST_P(wire_frame, T10_json_is_what_the_strictest_client_reads) {
    const auto topic = new_topic(shared_broker());
    wire_client json{shared_broker().broker_port()};
    const auto route = json.ask_raw(105, {{"topic", topic}});
    EXPECT_THAT(route.body(), AllOf(Not(HasSubstr(" ")), Not(HasSubstr("\\/")),
                                    HasSubstr("\"brokerAddrs\":{\"0\":\"127.0.0.1:")));
    for (const auto& got : {json.send(message_to(topic, "x")), json.ask(pull_of(topic, 0)),
                            json.ask_raw(30, {{"topic", topic}, {"queueId", "0"}})}) {
        EXPECT_THAT(got.header_text(), Not(HasSubstr("\" ")));
        const auto header = nlohmann::json::parse(got.header_text());
        EXPECT_FALSE(header.at("extFields").empty());
        for (const auto& value : header.at("extFields"))
            EXPECT_TRUE(value.is_string()) << got.header_text();
        EXPECT_TRUE(header.at("code").is_number_integer());
    }
    const auto table = json.ask_raw(202, {{"topic", topic}});
    EXPECT_THAT(table.body(),
                HasSubstr("{\"offsetTable\":{{\"brokerName\":\"broker-a\",\"queueId\":0,\"topic\":\"" +
                          topic + "\"}:{"));
}

TEST_P(wire_frame, T22_codes_are_16_bits_in_the_binary_dialect) {
    wire_client json{shared_broker().broker_port()};
    EXPECT_EQ(json.ask_raw(200050).code(), 3) << "POP, of a 5.x client";
    EXPECT_EQ(json.ask_raw(200050).remark(), " request type 200050 not supported");
    wire_client binary{shared_broker().broker_port(), serialize_type::binary};
    EXPECT_EQ(binary.ask_raw(-32768).code(), 3);
}

TEST_P(wire_frame, T28_the_version_is_one_that_java_trusts_with_filters) {
    for (const auto& got :
         {client.ask_raw(34, {}, protocol::encode_heartbeat({"c1", {"PID"}, {}})), client.ask_raw(106)}) {
        EXPECT_EQ(got.code(), 0);
        EXPECT_GE(got.command.version(), 409);
    }
}

TEST_P(wire_frame, raw_numbers_and_nulls_in_a_header_are_understood) {
    const auto topic = new_topic(shared_broker());
    const std::string header =
        R"({"code":310,"language":"MARTIAN","version":1,"opaque":7,"flag":0,"remark":null,"extFields":{"a":"P","b":")" +
        topic +
        R"(","c":"TBW102","d":4,"e":0,"f":0,"g":1700000000000,"h":0,"i":null,"j":0,"k":false,"m":false}})";
    wire_client cpp{shared_broker().broker_port()};
    ASSERT_TRUE(cpp.write(big(static_cast<std::uint32_t>(4 + header.size() + 4)) +
                          big(static_cast<std::uint32_t>(header.size())) + header + "body"));
    EXPECT_EQ(cpp.answer_to(7).number("queueOffset"), 0);
}

TEST_P(wire_frame, malformed_frames_close_their_own_connection_only) {
    const auto topic = new_topic(shared_broker());
    const std::string json_header = R"({"code":105,"opaque":1,"flag":0})";
    const auto framed = [](std::uint32_t mark, const std::string& header) {
        return big(static_cast<std::uint32_t>(4 + header.size())) + big(mark) + header;
    };
    const auto size = static_cast<std::uint32_t>(json_header.size());
    const std::vector<std::pair<const char*, std::string>> bad{
        {"longer than 16 MiB", big(16U << 20U) + big(size)},
        {"negative length", big(0xFFFFFFFF) + big(size)},
        {"no room for a header", big(3) + "xxx"},
        {"header longer than its frame", big(4 + size) + big(size + 1) + json_header},
        {"unknown dialect", framed(7U << 24U | size, json_header)},
        {"not JSON", framed(size, std::string(size, '{'))},
        {"a JSON header that ends too early", framed(size - 1, json_header.substr(0, size - 1))},
        {"binary header too short", framed(1U << 24U | 5U, "12345")},
        {"binary header whose fields lie", framed(1U << 24U | 21U, std::string(17, '\0') + big(0x7FFFFFFF))},
        {"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on"},
        {"HTTP", "GET /rocketmq/nsaddr HTTP/1.1\r\nHost: localhost\r\n\r\n"},
    };
    for (const auto& [what, bytes] : bad) {
        wire_client liar{shared_broker().broker_port(), GetParam()};
        EXPECT_TRUE(liar.write(bytes));
        EXPECT_TRUE(liar.is_ended()) << what;
        EXPECT_EQ(client.ask_raw(106).code(), 0) << "the neighbour after: " << what;
    }
    expect_others_are_served(topic);
}

TEST_P(wire_frame, half_a_frame_and_a_hang_up_cost_nothing) {
    const auto topic = new_topic(shared_broker());
    for (int i = 0; i < 50; ++i) {
        wire_client half{shared_broker().broker_port(), GetParam()};
        EXPECT_TRUE(half.write((big(1000) + big(900) + "{\"code\":").substr(0, 1 + i % 15)));
    }
    expect_others_are_served(topic);
}

std::size_t resident_mib() {
    std::ifstream status{"/proc/" + std::to_string(shared_broker().pid()) + "/status"};
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:"))
            return std::stoul(line.substr(6)) / 1024;
    return 0;
}

TEST_P(wire_frame, clients_that_trickle_bytes_cost_others_nothing) {
    const auto topic = new_topic(shared_broker());
    std::vector<std::unique_ptr<wire_client>> tricklers;
    for (int i = 0; i < 100; ++i) {
        tricklers.push_back(std::make_unique<wire_client>(shared_broker().broker_port(), GetParam()));
        // Claims of 15 MiB each, 1.5 GiB together, and a byte now and then.
        EXPECT_TRUE(tricklers.back()->write(big(15U << 20U) + big(100) + "{"));
    }
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < 500; ++i) {
        EXPECT_EQ(client.send(message_to(topic, "x")).code(), 0);
        EXPECT_TRUE(tricklers[static_cast<std::size_t>(i) % tricklers.size()]->write(" "));
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds{10});
    EXPECT_LT(resident_mib(), 300U);
}

TEST_P(wire_frame, a_client_that_never_reads_costs_others_nothing) {
    const auto topic = new_topic(shared_broker());
    const std::string body(200U << 10U, 'x');
    for (int i = 0; i < 20; ++i)
        ASSERT_EQ(client.send(message_to(topic, body)).code(), 0);
    // Asks for some 2 GiB of records in one write, and takes none of them.
    byte_buffer greedy;
    wire_client silent{shared_broker().broker_port(), GetParam()};
    for (int i = 0; i < 10'000; ++i)
        protocol::append_request(greedy, silent.next_call(), pull_of(topic, i % 20));
    std::thread writer{[&] { (void)silent.write(as_text(greedy.view())); }};
    std::size_t most_mib = 0;
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(client.send(message_to(topic, "x")).code(), 0);
        most_mib = std::max(most_mib, resident_mib());
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds{10});
    EXPECT_LT(most_mib, 400U) << "one connection's answers are bounded (network/limits.hpp)";
    silent.shut_down();
    writer.join();
}

TEST(wire_shutdown, sigterm_ends_with_status_0_whatever_clients_do) {
    own_broker broker;
    const auto topic = new_topic(*broker);
    wire_client client{broker->broker_port()};
    const std::string body(200U << 10U, 'x');
    for (int i = 0; i < 20; ++i)
        ASSERT_EQ(client.send(message_to(topic, body)).code(), 0);
    auto held = pull_of(topic, 20);
    held.sys_flag |= protocol::pull_flag::suspend;
    held.suspend_timeout_ms = 15'000;
    (void)client.tell(held);
    wire_client half{broker->broker_port()};
    EXPECT_TRUE(half.write(big(1000)));
    wire_client silent{broker->broker_port()};
    byte_buffer greedy;
    for (int i = 0; i < 2'000; ++i)
        protocol::append_request(greedy, silent.next_call(), pull_of(topic, i % 20));
    std::thread writer{[&] { (void)silent.write(as_text(greedy.view())); }};
    EXPECT_TRUE(silent.read()); // it is in the middle of it
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(broker->terminate(patience), 0) << broker->log();
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds{15});
    silent.shut_down();
    writer.join();
}

INSTANTIATE_TEST_SUITE_P(dialects, wire_frame,
                         ::testing::Values(serialize_type::json, serialize_type::binary),
                         [](const auto& which) {
                             return which.param == serialize_type::json ? "json" : "binary";
                         });

} // namespace
} // namespace holdfast::e2e
