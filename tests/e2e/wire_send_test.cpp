// Sends and look-ups, frame by frame, in both dialects. Traps are those of protocol reference 12.
#include "protocol/batch.hpp"
#include "protocol/message_id.hpp"
#include "tests/e2e/shared_broker.hpp"

#include <gmock/gmock.h>

namespace holdfast::e2e {
namespace {

using protocol::request_code;
using protocol::serialize_type;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class wire_send : public ::testing::TestWithParam<serialize_type> {
  protected:
    wire_client client{shared_broker().broker_port(), GetParam()};

    // All records of queue 0.
    std::vector<std::string> bodies(const std::string& topic) {
        std::vector<std::string> all;
        for (std::int64_t next = 0;;) {
            const auto pulled = client.ask(pull_of(topic, next));
            if (pulled.code() != 0)
                return all;
            for (const auto& record : pulled.records())
                all.emplace_back(as_text(record.body));
            next = pulled.number("nextBeginOffset");
        }
    }
};

std::string batch_of(std::initializer_list<std::string_view> bodies) {
    byte_buffer out;
    const auto tagged = property("TAGS", "T");
    for (const auto body : bodies)
        protocol::append_batch_message(out, {0, as_bytes(body), tagged});
    return std::string{as_text(out.view())};
}

// The fields of a send under their long names, as the Go client sends them.
std::vector<std::pair<std::string, std::string>> long_fields(const std::string& topic) {
    return {{"producerGroup", "PID_wire"},      {"topic", topic}, {"defaultTopic", "TBW102"},
            {"defaultTopicQueueNums", "4"},     {"queueId", "0"}, {"sysFlag", "0"},
            {"bornTimestamp", "1700000000000"}, {"flag", "0"}};
}

std::vector<std::pair<std::string, std::string>> short_fields(const std::string& topic) {
    return {{"a", "PID_wire"}, {"b", topic}, {"c", "TBW102"},        {"d", "4"},
            {"e", "0"},        {"f", "0"},   {"g", "1700000000000"}, {"h", "0"}};
}

TEST_P(wire_send, codes_10_310_and_320_store_alike) {
    const auto topic = new_topic(shared_broker());
    EXPECT_EQ(client.ask_raw(10, long_fields(topic), "ten").number("queueOffset"), 0);
    EXPECT_EQ(client.ask_raw(310, short_fields(topic), "three-ten").number("queueOffset"), 1);
    auto batch = short_fields(topic);
    batch.emplace_back("m", "true");
    const auto sent = client.ask_raw(320, batch, batch_of({"three-twenty", "again"}));
    EXPECT_EQ(sent.number("queueOffset"), 2) << described(sent);
    EXPECT_EQ(sent.field("MSG_REGION"), "DefaultRegion");
    EXPECT_EQ(sent.field("TRACE_ON"), "true");
    EXPECT_THAT(bodies(topic), ElementsAre("ten", "three-ten", "three-twenty", "again"));
}

TEST_P(wire_send, a_record_keeps_what_was_sent) {
    const auto topic = new_topic(shared_broker());
    const auto properties = property("KEYS", "k1 k2") + property("TAGS", "TagA") + property("WAIT", "true");
    auto request = message_to(topic, "hi", properties);
    request.flag = 7;
    request.sys_flag = protocol::sys_flag::compressed; // stored as sent, whatever it is
    ASSERT_EQ(client.send(request).code(), 0);
    const auto pulled = client.ask(pull_of(topic, 0));
    const auto records = pulled.records();
    ASSERT_EQ(records.size(), 1U) << described(pulled);
    EXPECT_EQ(as_text(records[0].body), "hi");
    EXPECT_TRUE(records[0].body_is_intact());
    EXPECT_EQ(records[0].flag, 7);
    EXPECT_EQ(records[0].sys_flag, protocol::sys_flag::compressed);
    EXPECT_EQ(records[0].born, timestamp_ms{1'700'000'000'000});
    EXPECT_EQ(records[0].property("KEYS"), "k1 k2");
    EXPECT_EQ(records[0].property("TAGS"), "TagA");
    EXPECT_EQ(records[0].property("CLUSTER"), "DefaultCluster");
    EXPECT_EQ(records[0].property("WAIT"), std::nullopt);
}

TEST_P(wire_send, T4_message_id_holds_address_and_position) {
    const auto topic = new_topic(shared_broker());
    const auto sent = client.send(message_to(topic, "here"));
    const auto id = protocol::parse_message_id(sent.field("msgId"));
    ASSERT_TRUE(id.ok()) << sent.field("msgId");
    EXPECT_EQ(id->host.to_ipv4(), (protocol::ipv4_host{0x7F000001, shared_broker().broker_port()}));
    protocol::view_message_request view;
    view.offset = id->position;
    const auto viewed = client.ask(view);
    ASSERT_EQ(viewed.code(), 0) << described(viewed);
    EXPECT_EQ(as_text(viewed.records().at(0).body), "here");
    EXPECT_EQ(viewed.records().at(0).physical_offset, static_cast<std::int64_t>(id->position.value()));
    view.offset = log_position{1};
    EXPECT_EQ(client.ask(view).code(), 1) << "a position inside of something else is no message";
    view.offset = log_position{1ULL << 62U};
    EXPECT_EQ(client.ask(view).code(), 1);
}

TEST_P(wire_send, T6_an_answer_is_stored_or_refused_and_nothing_between) {
    const auto topic = new_topic(shared_broker());
    for (const auto* const wait : {"true", "false"})
        EXPECT_EQ(client.send(message_to(topic, "x", property("WAIT", wait))).code(), 0);
}

TEST_P(wire_send, T7_the_code_says_whether_another_try_may_help) {
    const auto read_only = new_topic(shared_broker(), 1, 4);
    const auto topic = new_topic(shared_broker());
    EXPECT_EQ(client.send(message_to(read_only, "x")).code(), 16);
    auto no_template = message_to(new_name("missing"), "x");
    no_template.default_topic = "another-template";
    EXPECT_EQ(client.send(no_template).code(), 17);
    auto wrong_queue = message_to(topic, "x");
    wrong_queue.queue_id = 1;
    EXPECT_EQ(client.send(wrong_queue).code(), 1);
    const std::string too_long((4U << 20U) + 1, 'x');
    const auto refused = client.send(message_to(topic, too_long));
    EXPECT_EQ(refused.code(), 13);
    EXPECT_THAT(refused.remark(), HasSubstr("maxMessageSize 4194304"));
    EXPECT_EQ(refused.field("MSG_REGION"), "DefaultRegion") << "Java looks into extFields of errors too";
    EXPECT_EQ(client.send(message_to(topic, std::string(4U << 20U, 'x'))).number("queueOffset"), 0);
}

TEST_P(wire_send, T9_go_names_every_send_code_10_and_sets_no_oneway_flag) {
    const auto topic = new_topic(shared_broker());
    EXPECT_EQ(client.ask_raw(10, long_fields(topic), "oneway, says Go").code(), 0);
    client.tell_raw(10, long_fields(topic), "really oneway", true);
    EXPECT_EQ(client.ask_raw(10, long_fields(topic), "last").number("queueOffset"), 2);
    EXPECT_EQ(client.read(std::chrono::milliseconds{100}), std::nullopt) << "oneway was answered";
}

TEST_P(wire_send, T12_a_batch_is_told_by_m_and_not_by_its_code) {
    const auto topic = new_topic(shared_broker());
    auto fields = short_fields(topic);
    fields.emplace_back("m", "true");
    const auto sent = client.ask_raw(310, fields, batch_of({"one", "two", "three"}));
    ASSERT_EQ(sent.code(), 0) << described(sent);
    EXPECT_THAT(bodies(topic), ElementsAre("one", "two", "three"));
    const auto broken = batch_of({"one"}).substr(0, 20);
    EXPECT_EQ(client.ask_raw(310, fields, broken).code(), 13);
    EXPECT_EQ(client.ask_raw(310, fields, "").code(), 13);
    EXPECT_EQ(bodies(topic).size(), 3U) << "all or none";
}

TEST_P(wire_send, T13_hosts_are_ipv4) {
    const auto topic = new_topic(shared_broker());
    ASSERT_EQ(client.send(message_to(topic, "x")).code(), 0);
    const auto pulled = client.ask(pull_of(topic, 0));
    const auto record = pulled.records().at(0);
    EXPECT_FALSE(record.store_host.is_ipv6);
    EXPECT_FALSE(record.born_host.is_ipv6);
    EXPECT_EQ(record.store_host.to_ipv4().address, 0x7F000001U);
    EXPECT_EQ(record.born_host.to_ipv4().address, 0x7F000001U);
}

TEST_P(wire_send, T19_a_batch_takes_many_offsets_and_a_large_record_is_never_split) {
    const auto topic = new_topic(shared_broker());
    auto fields = short_fields(topic);
    fields.emplace_back("m", "true");
    const auto batch = client.ask_raw(320, fields, batch_of({"a", "b", "c"}));
    const auto ids = batch.field("msgId");
    EXPECT_EQ(ids.size(), 3 * 32 + 2U) << ids;
    const std::string large(1U << 20U, 'L'); // four times what a pull answers
    EXPECT_EQ(client.send(message_to(topic, large)).number("queueOffset"), 3);
    EXPECT_EQ(client.send(message_to(topic, "after")).number("queueOffset"), 4);
    auto pull = pull_of(topic, 1);
    pull.max_messages = 1;
    EXPECT_EQ(client.ask(pull).number("nextBeginOffset"), 2) << "in the middle of the batch";
    pull.max_messages = 32;
    const auto small_ones = client.ask(pull);
    EXPECT_EQ(small_ones.records().size(), 2U) << "the large one does not fit with them";
    EXPECT_EQ(small_ones.number("nextBeginOffset"), 3);
    pull.offset = queue_offset{3};
    const auto large_one = client.ask(pull);
    ASSERT_EQ(large_one.records().size(), 1U) << "one record always goes";
    EXPECT_EQ(as_text(large_one.records()[0].body), large);
    EXPECT_EQ(large_one.number("nextBeginOffset"), 4);
}

TEST_P(wire_send, T20_properties_fit_with_what_the_broker_adds) {
    const auto topic = new_topic(shared_broker());
    const auto of_size = [](std::size_t size) { return property("p", std::string(size - 3, 'v')); };
    const auto most = client.send(message_to(topic, "x", of_size(32767 - 512)));
    EXPECT_EQ(most.code(), 0) << described(most);
    EXPECT_EQ(client.send(message_to(topic, "x", of_size(32767 - 512 + 1))).code(), 13);
    EXPECT_EQ(client.ask(pull_of(topic, 0)).records().at(0).property("CLUSTER"), "DefaultCluster");
}

TEST_P(wire_send, T21_tags_are_hashed_as_java_does) {
    const auto topic = new_topic(shared_broker());
    for (const auto* const tag : {"TagA", "täg", "\U0001F600", "消息"})
        ASSERT_EQ(client.send(message_to(topic, tag, property("TAGS", tag))).code(), 0);
    auto pull = pull_of(topic, 0);
    pull.subscription = "\U0001F600 || täg";
    const auto pulled = client.ask(pull);
    ASSERT_EQ(pulled.records().size(), 2U);
    EXPECT_EQ(as_text(pulled.records()[0].body), "täg");
    EXPECT_EQ(as_text(pulled.records()[1].body), "\U0001F600");
    EXPECT_EQ(pulled.number("nextBeginOffset"), 4) << "behind what was examined";
}

TEST_P(wire_send, a_first_send_makes_its_topic_and_the_route_shows_it_at_once) {
    const auto topic = new_name("auto");
    protocol::get_route_info_request route;
    route.topic = topic;
    wire_client names{shared_broker().name_service_port(), GetParam()};
    EXPECT_EQ(names.ask(route).code(), 17);
    ASSERT_EQ(client.send(message_to(topic, "first")).number("queueOffset"), 0);
    const auto found = names.ask(route);
    ASSERT_EQ(found.code(), 0);
    EXPECT_THAT(found.body(), HasSubstr("\"writeQueueNums\":4"));
}

TEST_P(wire_send, bad_names_and_flags_are_refused_in_words) {
    for (const std::string& name :
         {std::string{"with space"}, std::string(128, 't'), std::string{"a.b"}, std::string{}}) {
        const auto refused = client.send(message_to(name, "x"));
        EXPECT_EQ(refused.code(), 1) << name;
        EXPECT_FALSE(refused.remark().empty());
    }
    EXPECT_EQ(client.send(message_to("SCHEDULE_TOPIC_XXXX", "x")).code(), 16);
    EXPECT_EQ(client.send(message_to("TBW102", "x")).code(), 16);
    const auto topic = new_topic(shared_broker());
    auto strange = message_to(topic, "x");
    strange.sys_flag = 0x4000;
    EXPECT_EQ(client.send(strange).code(), 13);
    auto decided = message_to(topic, "x");
    decided.sys_flag = protocol::sys_flag::transaction_commit;
    EXPECT_EQ(client.send(decided).code(), 13) << "only END_TRANSACTION commits";
    EXPECT_EQ(
        client.send(message_to(topic, "x", property("TRAN_MSG", "true") + property("DELAY", "3"))).code(), 13)
        << "a half can't be delayed as well";
    auto missing = short_fields(topic);
    missing.erase(missing.begin() + 4);
    const auto incomplete = client.ask_raw(310, missing, "x");
    EXPECT_EQ(incomplete.code(), 1);
    EXPECT_THAT(incomplete.remark(), HasSubstr("queueId"));
    EXPECT_EQ(client.ask(pull_of(topic, 0)).code(), 19) << "nothing of this was stored";
}

TEST_P(wire_send, a_negative_queue_lets_the_broker_choose) {
    const auto topic = new_topic(shared_broker(), 4);
    auto request = message_to(topic, "x");
    request.queue_id = -1;
    const auto sent = client.send(request);
    EXPECT_EQ(sent.code(), 0);
    EXPECT_LT(sent.number("queueId"), 4);
    EXPECT_GE(sent.number("queueId"), 0);
}

TEST_P(wire_send, messages_are_found_by_key_and_by_unique_key) {
    const auto topic = new_topic(shared_broker());
    const auto unique = new_name("UNIQUE");
    ASSERT_EQ(client
                  .send(message_to(topic, "found",
                                   property("KEYS", "order-1 order-2") + property("UNIQ_KEY", unique)))
                  .code(),
              0);
    ASSERT_EQ(client.send(message_to(topic, "other", property("KEYS", "order-3"))).code(), 0);
    protocol::query_message_request query;
    query.topic = topic;
    query.end = timestamp_ms{std::numeric_limits<std::int64_t>::max()};
    const auto ask = [&](std::string_view key, bool is_unique) {
        query.key = key;
        query.is_unique_key = is_unique;
        // The key index follows the log a moment later.
        const auto deadline = std::chrono::steady_clock::now() + patience;
        auto got = client.ask(query);
        while (got.code() != 0 && std::chrono::steady_clock::now() < deadline)
            got = client.ask(query);
        EXPECT_EQ(got.code(), 0) << described(got);
        EXPECT_EQ(got.records().size(), 1U);
        return std::string{as_text(got.records().at(0).body)};
    };
    EXPECT_EQ(ask("order-2", false), "found");
    EXPECT_EQ(ask(unique, true), "found");
    EXPECT_EQ(ask("order-3", false), "other");
    query.key = "order-4";
    EXPECT_EQ(client.ask(query).code(), 22);
}

// All of them together would be more than a frame holds.
TEST_P(wire_send, a_key_that_is_in_many_large_messages_finds_the_newest_that_fit) {
    const auto topic = new_topic(shared_broker());
    const std::string large(3U << 20U, 'x');
    for (int i = 0; i < 6; ++i)
        ASSERT_EQ(
            client.send(message_to(topic, large, property("KEYS", "same k" + std::to_string(i)))).code(), 0);
    protocol::query_message_request query;
    query.topic = topic;
    query.end = timestamp_ms{std::numeric_limits<std::int64_t>::max()};
    query.max_messages = 32;
    query.key = "k5"; // when the last one is found, all are
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (client.ask(query).code() != 0 && std::chrono::steady_clock::now() < deadline) {
    }
    query.key = "same";
    const auto got = client.ask(query);
    EXPECT_EQ(got.code(), 0) << described(got);
    const auto records = got.records();
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(records[0].property("KEYS"), "same k5");
    EXPECT_EQ(records[1].property("KEYS"), "same k4");
}

INSTANTIATE_TEST_SUITE_P(dialects, wire_send, ::testing::Values(serialize_type::json, serialize_type::binary),
                         [](const auto& which) {
                             return which.param == serialize_type::json ? "json" : "binary";
                         });

} // namespace
} // namespace holdfast::e2e
