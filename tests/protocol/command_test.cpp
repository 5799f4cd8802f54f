// Writing commands in both dialects, and the binary one's reading (protocol reference 1.1, 1.2, T10, T22).
#include "protocol/answers.hpp"
#include "tests/protocol/protocol_helpers.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace holdfast::protocol {
namespace {

byte_buffer binary_frame(std::string_view header_hex) {
    const std::string header = from_hex(header_hex);
    byte_buffer frame;
    frame.append_big(static_cast<std::uint32_t>(4 + header.size()));
    frame.append_big(static_cast<std::uint32_t>(0x01000000U | header.size()));
    frame.append(std::string_view{header});
    return frame;
}

TEST(Command, JsonIsWrittenForTheStrictestReader) {
    byte_buffer out;
    command_writer writer{out, {.code = 0, .opaque = 7, .flag = 1, .remark = "a \"b\""}};
    writer.field("queueId", std::int64_t{3});
    writer.field("on", true);
    writer.field("path", "a/b");
    writer.finish(as_bytes("body"));
    const frame_view frame = only_frame(out.view());
    EXPECT_EQ(
        as_text(frame.header),
        R"({"code":0,"flag":1,"language":"CPP","opaque":7,"version":409,"remark":"a \"b\"","extFields":{"queueId":"3","on":"true","path":"a/b"}})");
    EXPECT_EQ(as_text(frame.body), "body");
}

// T10: Go decodes extFields into string:string.
TEST(Command, T10ValuesOfAnswersAreTexts) {
    byte_buffer out;
    append_response(out, {.opaque = 1}, pull_message_response{.next_begin_offset = queue_offset{5}});
    const auto header = nlohmann::json::parse(as_text(only_frame(out.view()).header));
    for (const auto& value : header["extFields"])
        EXPECT_TRUE(value.is_string());
    EXPECT_EQ(header["extFields"].size(), 4U);
    EXPECT_TRUE(header["opaque"].is_number_integer());
}

TEST(Command, BadTextIsWrittenAsValidJson) {
    byte_buffer out;
    append_failure(out, {.opaque = 1}, response_code::system_error, "bad \xFF\xC3 name \x01");
    const remoting_command command = decoded(out.view());
    EXPECT_EQ(command.remark(), "bad \xEF\xBF\xBD\xEF\xBF\xBD name \x01");
    EXPECT_TRUE(nlohmann::json::accept(as_text(only_frame(out.view()).header)));
}

TEST(Command, LongRemarksAreCutBetweenCharacters) {
    for (const serialize_type dialect : {serialize_type::json, serialize_type::binary}) {
        std::string remark = "x";
        while (remark.size() < 3 * limits::max_remark_bytes)
            remark += "漢";
        byte_buffer out;
        append_failure(out, {.opaque = 1, .serialize = dialect}, response_code::system_error, remark);
        const std::string_view got = decoded(out.view()).remark();
        EXPECT_LE(got.size(), limits::max_remark_bytes);
        EXPECT_GT(got.size(), limits::max_remark_bytes - 4);
        EXPECT_EQ((got.size() - 1) % 3, 0U);
    }
}

TEST(Command, RoundTripInBothDialects) {
    random_source random{7};
    for (int round = 0; round < 3000; ++round) {
        const auto dialect = random.one_in(2) ? serialize_type::json : serialize_type::binary;
        const std::string remark = random.text(10);
        const std::string body = random.plain(40);
        const command_head head{.code = static_cast<std::int32_t>(random.between(-32768, 32767)),
                                .serialize = dialect,
                                .opaque = random.int32(),
                                .flag = random.int32(),
                                .language = static_cast<language>(random.between(0, 13)),
                                .version = static_cast<std::int32_t>(random.between(0, 32767)),
                                .remark = remark};
        std::map<std::string, std::string> fields;
        for (auto count = random.between(0, 20); count > 0; --count)
            fields[random.text(5)] = random.text(10) + "v";
        byte_buffer out;
        command_writer writer{out, head};
        for (const auto& [name, value] : fields)
            writer.field(name, value);
        writer.finish(as_bytes(body));

        const remoting_command command = decoded(out.view());
        EXPECT_EQ(command.code(), head.code);
        EXPECT_EQ(command.serialize(), dialect);
        EXPECT_EQ(command.opaque(), head.opaque);
        EXPECT_EQ(command.flag(), head.flag);
        EXPECT_EQ(command.language(), head.language);
        EXPECT_EQ(command.version(), head.version);
        EXPECT_EQ(command.remark(), remark);
        EXPECT_EQ(as_text(command.body()), body);
        EXPECT_EQ(command.fields().size(), fields.size());
        for (const auto& [name, value] : fields)
            EXPECT_EQ(command.find(name), value);
        ASSERT_FALSE(HasFailure()) << round;
    }
}

TEST(Command, BinaryEmptyValueIsNull) {
    byte_buffer out;
    command_writer writer{out, {.code = 35, .serialize = serialize_type::binary}};
    writer.field("consumerGroup", "");
    writer.field("clientID", "c");
    writer.finish();
    const remoting_command command = decoded(out.view());
    EXPECT_EQ(command.find("consumerGroup"), std::nullopt);
    EXPECT_EQ(command.find("clientID"), "c");
}

// T22: code and version are signed 16 bit.
TEST(Command, T22BinaryCodesAreSigned16Bit) {
    const byte_buffer frame = binary_frame("ffff 00 8000 00000001 00000000 00000000 00000000");
    const remoting_command command = decoded(frame.view());
    EXPECT_EQ(command.code(), -1);
    EXPECT_EQ(command.version(), -32768);
    EXPECT_DEATH(
        {
            byte_buffer out;
            command_writer writer(out, {.code = 200050, .serialize = serialize_type::binary});
        },
        "int16_t");
}

TEST(Command, BinaryLengthsAreChecked) {
    for (const std::string_view header : {
             "0069 00 0199 00000000 00000000 00000000 000000",           // 20 bytes
             "0069 00 0199 00000000 00000000 ffffffff 00000000",         // remark of -1
             "0069 00 0199 00000000 00000000 00000005 00000000",         // remark over the end
             "0069 00 0199 00000000 00000000 00000002 61 62",            // no room for the fields' length
             "0069 00 0199 00000000 00000000 00000000 ffffffff",         // fields of -1
             "0069 00 0199 00000000 00000000 00000000 7fffffff",         // fields over the end
             "0069 00 0199 00000000 00000000 00000000 00000001 00",      // ends in a name's length
             "0069 00 0199 00000000 00000000 00000000 00000002 ffff",    // name of -1
             "0069 00 0199 00000000 00000000 00000000 00000003 0005 61", // name over the end
             "0069 00 0199 00000000 00000000 00000000 00000003 0001 61", // no value
             "0069 00 0199 00000000 00000000 00000000 00000007 0001 61 80000000",
             "0069 00 0199 00000000 00000000 00000000 00000008 0001 61 00000002 62",
         }) {
        const byte_buffer frame = binary_frame(header);
        remoting_command command;
        const auto outcome = command.decode(only_frame(frame.view()));
        ASSERT_FALSE(outcome) << header;
        EXPECT_EQ(outcome.failure().code, errc::malformed) << outcome.failure();
    }
}

TEST(Command, BinaryFieldCountIsBounded) {
    byte_buffer out;
    command_writer writer{out, {.code = 1, .serialize = serialize_type::binary}};
    for (std::size_t i = 0; i <= limits::max_field_count; ++i)
        writer.field("n", "v");
    writer.finish();
    remoting_command command;
    const auto outcome = command.decode(only_frame(out.view()));
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.failure().code, errc::too_large);
}

TEST(Command, HeaderCanPromiseABodyFromElsewhere) {
    byte_buffer out;
    command_writer writer{out, {.code = 0, .flag = 1}};
    writer.finish_header(5);
    EXPECT_FALSE(*next_frame(out.view()));
    out.append(std::string_view{"12345"});
    EXPECT_EQ(as_text(only_frame(out.view()).body), "12345");
}

// What an answer holds is often up to clients; it must not be a way to end the broker.
TEST(Command, AnAnswerThatNoFrameCanHoldIsAnErrorInstead) {
    const std::string body(limits::max_frame_bytes, 'x');
    for (const auto dialect : {serialize_type::json, serialize_type::binary}) {
        const answer_to to{.opaque = 9, .serialize = dialect};
        const auto answered = [&](std::size_t body_size) {
            byte_buffer out;
            append_failure(out, to, response_code::query_not_found, "before");
            const auto before = out.size();
            append_response(out, to, offset_response{queue_offset{5}}, as_bytes(body).first(body_size));
            std::string rest{as_text(out.view().subspan(before))};
            EXPECT_EQ(decoded(out.view().first(before)).remark(), "before");
            return rest;
        };
        const auto small = answered(0);
        const auto room = limits::max_frame_bytes - small.size();
        const auto large = answered(room - 2);
        EXPECT_EQ(large.size(), limits::max_frame_bytes - 2);
        EXPECT_EQ(decoded(as_bytes(large)).code(), 0);
        for (const auto size : {room + 1, body.size()}) {
            const auto refused = answered(size);
            const auto command = decoded(as_bytes(refused));
            EXPECT_EQ(command.code(), static_cast<std::int32_t>(response_code::system_error));
            EXPECT_EQ(command.opaque(), 9);
            EXPECT_TRUE(command.is_response());
            EXPECT_EQ(command.serialize(), dialect);
            EXPECT_TRUE(command.fields().empty());
            EXPECT_TRUE(command.body().empty());
            EXPECT_NE(command.remark().find(std::to_string(size) + " bytes"), std::string_view::npos);
        }
    }
    byte_buffer out;
    EXPECT_DEATH(append_request(out, {}, heart_beat_request{}, as_bytes(body)), "write_too_large");
}

TEST(Command, DecodingReusesItsMemory) {
    const byte_buffer escaped = json_frame(R"({"code":1,"extFields":{"i":"\u0001abc"}})");
    remoting_command command;
    ASSERT_TRUE(command.decode(only_frame(escaped.view())));
    const char* const before = command.find("i")->data();
    ASSERT_TRUE(command.decode(only_frame(escaped.view())));
    EXPECT_EQ(command.find("i")->data(), before);
    EXPECT_EQ(command.fields().size(), 1U);

    remoting_command moved = std::move(command); // views stay good
    EXPECT_EQ(moved.find("i"), "\x01"
                               "abc");
}

// The answers written by hand against the general writer.
TEST(Command, HotAnswersAreTheGeneralOnesByteForByte) {
    random_source random{99};
    for (int round = 0; round < 2000; ++round) {
        const answer_to to{.opaque = random.int32(),
                           .serialize = random.one_in(2) ? serialize_type::json : serialize_type::binary};
        const std::string id = random.plain(64);
        const std::string transaction = random.plain(3);
        const std::string region = random.plain(5);
        const std::string handle = random.plain(2);
        const send_message_response sent{.message_id = id,
                                         .queue_id = random.int32(),
                                         .offset = queue_offset{random.between(INT64_MIN, INT64_MAX)},
                                         .transaction_id = transaction,
                                         .recall_handle = handle,
                                         .region = region,
                                         .trace_on = random.one_in(2)};
        byte_buffer general;
        byte_buffer hot;
        general.append(std::string_view{"before"});
        hot.append(std::string_view{"before"});
        append_response(general, to, sent);
        append_send_answer(hot, to, sent);
        ASSERT_EQ(as_text(hot.view()), as_text(general.view()));

        const pull_message_response pulled{.suggest_broker_id = random.between(INT64_MIN, INT64_MAX),
                                           .next_begin_offset = queue_offset{random.between(0, INT64_MAX)},
                                           .min_offset = queue_offset{random.between(-5, 5)},
                                           .max_offset = queue_offset{random.between(INT64_MIN, 0)}};
        const std::string remark = random.plain(20);
        const std::string body = random.plain(20);
        append_response(general, to, pulled, as_bytes(body), response_code::pull_not_found, remark);
        append_pull_answer(hot, to, response_code::pull_not_found, remark, pulled, body.size());
        hot.append(as_bytes(body));
        ASSERT_EQ(as_text(hot.view()), as_text(general.view()));
    }
}

} // namespace
} // namespace holdfast::protocol
