// Sends in every spelling (protocol reference 3.2, T11, T12).
#include "protocol/answers.hpp"
#include "tests/protocol/protocol_helpers.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

send_message_request sample(const std::string& properties) {
    return {.producer_group = "PG",
            .topic = "TopicTest",
            .default_topic = "TBW102",
            .default_topic_queue_count = 4,
            .queue_id = -1,
            .sys_flag = 1,
            .born = timestamp_ms{1700000000000},
            .flag = 9,
            .properties = properties,
            .reconsume_times = 2,
            .unit_mode = true,
            .max_reconsume_times = 16,
            .broker_name = "broker-a",
            .body = as_bytes("body")};
}

void expect_equal(const send_message_request& left, const send_message_request& right) {
    EXPECT_EQ(left.producer_group, right.producer_group);
    EXPECT_EQ(left.topic, right.topic);
    EXPECT_EQ(left.default_topic, right.default_topic);
    EXPECT_EQ(left.default_topic_queue_count, right.default_topic_queue_count);
    EXPECT_EQ(left.queue_id, right.queue_id);
    EXPECT_EQ(left.sys_flag, right.sys_flag);
    EXPECT_EQ(left.born, right.born);
    EXPECT_EQ(left.flag, right.flag);
    EXPECT_EQ(left.properties, right.properties);
    EXPECT_EQ(left.reconsume_times, right.reconsume_times);
    EXPECT_EQ(left.unit_mode, right.unit_mode);
    EXPECT_EQ(left.max_reconsume_times, right.max_reconsume_times);
    EXPECT_EQ(left.is_batch, right.is_batch);
    EXPECT_EQ(left.broker_name, right.broker_name);
    EXPECT_EQ(as_text(left.body), as_text(right.body));
}

const std::string properties = "KEYS\x01k 1\x02TAGS\x01"
                               "A\x02";

TEST(SendMessage, ShortNamesRoundTripInBothDialects) {
    for (const serialize_type dialect : {serialize_type::json, serialize_type::binary}) {
        byte_buffer out;
        append_send_message(out, {.opaque = 5, .serialize = dialect}, sample(properties));
        const remoting_command command = decoded(out.view());
        EXPECT_EQ(command.request(), request_code::send_message_v2);
        EXPECT_TRUE(is_send(command.request()));
        const auto request = decode_send_message(command);
        ASSERT_TRUE(request) << request.failure();
        expect_equal(*request, sample(properties));
    }
}

TEST(SendMessage, LongNamesOfCode10) {
    byte_buffer out;
    command_writer writer{out, {.code = 10, .opaque = 1}};
    field_writer fields{writer};
    const send_message_request request_sent = sample(properties);
    send_message_request::fields(request_sent, fields);
    writer.finish(as_bytes("body"));
    const remoting_command command = decoded(out.view());
    const auto request = decode_send_message(command);
    ASSERT_TRUE(request) << request.failure();
    expect_equal(*request, sample(properties));
}

// The C++ client: 310, raw integers, booleans as texts, m=true for a batch.
constexpr std::string_view cpp_batch =
    R"({"code":310,"extFields":{"a":"PG","b":"T","c":"TBW102","d":4,"e":3,"f":0,"g":"1700000000000","h":0,"i":"","j":0,"k":"false","l":0,"m":"true","Signature":"","OnsChannel":""},"flag":0,"language":"CPP","opaque":12,"remark":"","version":333})";

TEST(SendMessage, T12BatchIsToldByItsFieldNotItsCode) {
    const byte_buffer frame = json_frame(cpp_batch);
    const remoting_command command = decoded(frame.view());
    const auto request = decode_send_message(command);
    ASSERT_TRUE(request) << request.failure();
    EXPECT_TRUE(request->is_batch);
    EXPECT_EQ(request->queue_id, 3);
    EXPECT_EQ(request->max_reconsume_times, 0);
}

TEST(SendMessage, T12Code320IsABatchWithoutTheField) {
    std::string header{cpp_batch};
    header.replace(header.find("310"), 3, "320");
    header.replace(header.find(R"("m":"true",)"), 11, "");
    const byte_buffer frame = json_frame(header);
    const remoting_command command = decoded(frame.view());
    EXPECT_TRUE(decode_send_message(command)->is_batch);
}

TEST(SendMessage, ABatchIsWrittenAs320) {
    send_message_request request = sample(properties);
    request.is_batch = true;
    byte_buffer out;
    append_send_message(out, {.opaque = 1, .oneway = true}, request);
    const remoting_command command = decoded(out.view());
    EXPECT_EQ(command.request(), request_code::send_batch_message);
    EXPECT_TRUE(command.is_oneway());
    EXPECT_FALSE(command.is_response());
}

TEST(SendMessage, EachRequiredFieldIsMissedByName) {
    constexpr std::string_view names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    for (const std::string_view missing : names) {
        byte_buffer out;
        command_writer writer{out, {.code = 310}};
        for (const std::string_view name : names)
            if (name != missing)
                writer.field(name, "1");
        writer.finish();
        const auto request = decode_send_message(decoded(out.view()));
        ASSERT_FALSE(request) << missing;
        EXPECT_EQ(request.failure().code, errc::malformed);
        EXPECT_NE(request.failure().message.find(std::string{"("}.append(missing).append(") is missing")),
                  std::string::npos);
    }
}

TEST(SendMessage, MalformedNumbersAreNamed) {
    for (const auto& [wrong, text] : {std::pair<std::string, std::string>{"d", "4.0"},
                                      {"e", "2147483648"},
                                      {"f", ""},
                                      {"g", "9223372036854775808"},
                                      {"h", " 1"},
                                      {"j", "x"},
                                      {"k", "maybe"},
                                      {"l", "0x1"},
                                      {"m", "yes"}}) {
        byte_buffer out;
        command_writer writer{out, {.code = 310}};
        for (const std::string name : {"a", "b", "c", "d", "e", "f", "g", "h", "j", "k", "l", "m"})
            writer.field(name, std::string_view{name == wrong                ? text
                                                : name == "k" || name == "m" ? "true"
                                                                             : "1"});
        writer.finish();
        const auto request = decode_send_message(decoded(out.view()));
        ASSERT_FALSE(request) << wrong;
        EXPECT_NE(request.failure().message.find(std::string{"("}.append(wrong).append(") must be ")),
                  std::string::npos)
            << request.failure();
    }
}

TEST(SendMessage, AnswerIsReadBack) {
    byte_buffer out;
    append_send_answer(
        out, {.opaque = 3},
        {.message_id = "7F00000100002A9F0000000000000004", .queue_id = 1, .offset = queue_offset{42}});
    const remoting_command command = decoded(out.view());
    const auto answer = decode_header<send_message_response>(command);
    ASSERT_TRUE(answer) << answer.failure();
    EXPECT_EQ(answer->message_id, "7F00000100002A9F0000000000000004");
    EXPECT_EQ(answer->queue_id, 1);
    EXPECT_EQ(answer->offset, queue_offset{42});
    EXPECT_EQ(answer->region, "DefaultRegion");
    EXPECT_TRUE(answer->trace_on);
}

// Java looks into extFields of every answer to a send.
TEST(SendMessage, FailuresHaveFieldsToo) {
    byte_buffer out;
    append_response(out, {.opaque = 3}, send_message_failure{}, {}, response_code::message_illegal,
                    "too long");
    const remoting_command command = decoded(out.view());
    EXPECT_EQ(command.response(), response_code::message_illegal);
    EXPECT_EQ(command.find("MSG_REGION"), "DefaultRegion");
    EXPECT_EQ(command.find("TRACE_ON"), "true");
}

} // namespace
} // namespace holdfast::protocol
