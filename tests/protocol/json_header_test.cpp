// The scanner against the rules of protocol reference 1.1, and against nlohmann::json on random headers.
#include "tests/protocol/protocol_helpers.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <map>

namespace holdfast::protocol {
namespace {

error failure_of(std::string_view header) {
    const byte_buffer frame = json_frame(header);
    remoting_command command;
    const auto outcome = command.decode(only_frame(frame.view()));
    EXPECT_FALSE(outcome) << header;
    return outcome ? error{} : outcome.failure();
}

std::string remark_of(std::string_view escaped) {
    const byte_buffer frame = json_frame(R"({"remark":")" + std::string{escaped} + "\"}");
    const remoting_command command = decoded(frame.view());
    return std::string{command.remark()};
}

TEST(JsonHeader, EverythingInAnyOrderWithWhiteSpace) {
    const byte_buffer frame =
        json_frame(" \r\n\t{ \"version\" : 333 ,\"extFields\":{ \"a\" : \"b\" , \"c\":\"\" },"
                   "\"remark\":\"ok\",\"flag\":3,\"opaque\":-5,\"language\":\"CPP\",\"code\":310 }\n",
                   "body");
    const remoting_command command = decoded(frame.view());
    EXPECT_EQ(command.code(), 310);
    EXPECT_EQ(command.version(), 333);
    EXPECT_EQ(command.opaque(), -5);
    EXPECT_TRUE(command.is_response());
    EXPECT_TRUE(command.is_oneway());
    EXPECT_EQ(command.language(), language::cpp);
    EXPECT_EQ(command.remark(), "ok");
    EXPECT_EQ(command.find("a"), "b");
    EXPECT_EQ(command.find("c"), "");
    EXPECT_EQ(command.find("d"), std::nullopt);
    EXPECT_EQ(as_text(command.body()), "body");
}

TEST(JsonHeader, RawNumbersBooleansAndNullsInFields) {
    const byte_buffer frame = json_frame(
        R"({"extFields":{"queueId":3,"big":-9223372036854775808,"x":1.5e3,"t":true,"f":false,"n":null,"o":{"a":[1]},"l":[]}})");
    const remoting_command command = decoded(frame.view());
    EXPECT_EQ(command.find("queueId"), "3");
    EXPECT_EQ(command.find("big"), "-9223372036854775808");
    EXPECT_EQ(command.find("x"), "1.5e3");
    EXPECT_EQ(command.find("t"), "true");
    EXPECT_EQ(command.find("f"), "false");
    EXPECT_EQ(command.find("n"), std::nullopt);
    EXPECT_EQ(command.find("o"), std::nullopt);
    EXPECT_EQ(command.fields().size(), 5U);
}

TEST(JsonHeader, NullsAndMissingKeysAreDefaults) {
    const byte_buffer frame = json_frame(R"({"extFields":null,"remark":null,"language":null,"code":null})");
    const remoting_command command = decoded(frame.view());
    EXPECT_EQ(command.code(), 0);
    EXPECT_TRUE(command.fields().empty());
    EXPECT_EQ(command.remark(), "");
    EXPECT_EQ(command.language(), language::unknown);
    const byte_buffer empty = json_frame("{}");
    EXPECT_EQ(decoded(empty.view()).language(), language::java);
}

TEST(JsonHeader, NumbersMayStandAsTexts) {
    const byte_buffer frame = json_frame(R"({"code":"34","opaque":"7"})");
    const remoting_command command = decoded(frame.view());
    EXPECT_EQ(command.code(), 34);
    EXPECT_EQ(command.opaque(), 7);
}

TEST(JsonHeader, T11UnknownLanguagesAreNeverRefused) {
    for (const auto& [text, expected] :
         std::map<std::string, language>{{"\"KLINGON\"", language::unknown},
                                         {"\"GO\"", language::go},
                                         {"9", language::go},
                                         {"99", language::unknown},
                                         {"-1", language::unknown},
                                         {"1.5", language::unknown},
                                         {"123456789012345678901234567890", language::unknown},
                                         {"true", language::unknown},
                                         {"{\"x\":[]}", language::unknown}}) {
        const byte_buffer frame =
            json_frame(std::string{"{\"code\":5,\"language\":"}.append(text).append("}"));
        const remoting_command command = decoded(frame.view());
        EXPECT_EQ(command.language(), expected) << text;
        EXPECT_EQ(command.code(), 5);
    }
}

TEST(JsonHeader, UnknownKeysAreSkippedWithAnyValue) {
    const byte_buffer frame = json_frame(
        R"({"serializeTypeCurrentRPC":"JSON","x":{"y":[1,{"z":"}\"]"},[],{}],"w":null},"v":[ ],"u":-0.5E+2,"code":7})");
    EXPECT_EQ(decoded(frame.view()).code(), 7);
}

TEST(JsonHeader, Escapes) {
    EXPECT_EQ(remark_of(R"(a\"b\\c\/d\b\f\n\r\te)"), "a\"b\\c/d\b\f\n\r\te");
    EXPECT_EQ(remark_of(R"(KEYS\u0001k\u0002)"), "KEYS\x01k\x02");
    EXPECT_EQ(remark_of(R"(\u00e4\u6F22)"), "ä漢");
    EXPECT_EQ(remark_of(R"(\uD83D\uDE00)"), "😀");
    EXPECT_EQ(remark_of(R"(\ud83dx)"), "\xEF\xBF\xBDx");
    EXPECT_EQ(remark_of(R"(\ude00)"), "\xEF\xBF\xBD");
    EXPECT_EQ(remark_of(R"(\ud83d\u0041)"), "\xEF\xBF\xBD"
                                            "A");
    EXPECT_EQ(remark_of("raw\x01"
                        "control"),
              "raw\x01"
              "control"); // fastjson takes it
    EXPECT_EQ(remark_of(R"(0123456789abcdef0123456789abcdef\n0123456789abcdef)"),
              "0123456789abcdef0123456789abcdef\n0123456789abcdef");
}

TEST(JsonHeader, SeveralEscapedTextsKeepTheirPlaces) {
    const byte_buffer frame =
        json_frame(R"({"extFields":{"\u0061":"\u0001\u0002","b\n":"\\"},"remark":"\t"})");
    const remoting_command command = decoded(frame.view());
    EXPECT_EQ(command.find("a"), "\x01\x02");
    EXPECT_EQ(command.find("b\n"), "\\");
    EXPECT_EQ(command.remark(), "\t");
}

TEST(JsonHeader, LastOfEqualNamesCounts) {
    const byte_buffer frame = json_frame(R"({"extFields":{"a":"1","a":"2"}})");
    EXPECT_EQ(decoded(frame.view()).find("a"), "2");
}

TEST(JsonHeader, MalformedIsRefusedWithThePlace) {
    for (const std::string_view header : {"",
                                          " ",
                                          "null",
                                          "[]",
                                          "{",
                                          "{\"",
                                          "{\"code\"",
                                          "{\"code\":",
                                          "{\"code\":1",
                                          "{\"code\":1,",
                                          "{\"code\":1,}",
                                          "{,}",
                                          "{code:1}",
                                          "{\"code\":01}",
                                          "{\"code\":-}",
                                          "{\"code\":1.}",
                                          "{\"code\":1e}",
                                          "{\"code\":2147483648}",
                                          "{\"code\":1.5}",
                                          "{\"code\":true}",
                                          "{\"code\":\"x\"}",
                                          "{\"remark\":\"\\x\"}",
                                          "{\"remark\":\"\\u12g4\"}",
                                          "{\"remark\":\"\\u12",
                                          "{\"remark\":\"\\",
                                          "{\"remark\":\"\\\"}",
                                          "{\"extFields\":[]}",
                                          "{\"extFields\":{\"a\":}}",
                                          "{\"extFields\":{\"a\" \"b\"}}",
                                          "{\"extFields\":{\"a\":nul}}",
                                          "{\"x\":[1 2]}",
                                          "{\"x\":[1,]}",
                                          "{\"x\":{1:2}}",
                                          "{} x",
                                          "{\"code\":1}}",
                                          "{\"flag\":\"\"}"}) {
        const error failure = failure_of(header);
        EXPECT_EQ(failure.code, errc::malformed) << header;
        EXPECT_NE(failure.message.find("JSON header, byte "), std::string::npos) << failure;
    }
}

TEST(JsonHeader, EveryTruncationIsRefused) {
    const std::string header =
        R"({"code":310,"extFields":{"i":"KEYS\u0001k\u0002","e":3,"m":false,"n":null},"opaque":7,"x":[{"y":1.5e+3}],"language":"JAVA"})";
    for (std::size_t size = 0; size < header.size(); ++size)
        EXPECT_EQ(failure_of(header.substr(0, size)).code, errc::malformed) << size;
}

TEST(JsonHeader, DepthAndFieldCountAreBounded) {
    std::string deep = "{\"x\":";
    for (std::size_t i = 0; i < limits::max_json_depth; ++i)
        deep += '[';
    EXPECT_EQ(failure_of(deep).code, errc::too_large);

    std::string many = "{\"extFields\":{";
    for (std::size_t i = 0; i <= limits::max_field_count; ++i)
        many += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":1";
    EXPECT_EQ(failure_of(many + "}}").code, errc::too_large);
}

// What a library would say about the same header.
void expect_same(const remoting_command& command, const nlohmann::json& header) {
    EXPECT_EQ(command.code(), header.value("code", 0));
    EXPECT_EQ(command.opaque(), header.value("opaque", 0));
    EXPECT_EQ(command.flag(), header.value("flag", 0));
    EXPECT_EQ(command.version(), header.value("version", 0));
    EXPECT_EQ(command.remark(), header.value("remark", std::string{}));
    std::size_t count = 0;
    if (header.contains("extFields")) {
        for (const auto& [name, value] : header["extFields"].items()) {
            if (value.is_null()) {
                EXPECT_EQ(command.find(name), std::nullopt);
                continue;
            }
            ++count;
            EXPECT_EQ(command.find(name), value.is_string() ? value.get<std::string>() : value.dump());
        }
    }
    EXPECT_EQ(command.fields().size(), count);
}

nlohmann::json random_value(random_source& random, int depth) {
    switch (random.between(0, depth > 3 ? 4 : 6)) {
    case 0:
        return random.text(8);
    case 1:
        return random.between(INT64_MIN, INT64_MAX);
    case 2:
        return random.one_in(2);
    case 3:
        return nullptr;
    case 4:
        return static_cast<double>(random.between(-1000, 1000)) / 8;
    case 5: {
        nlohmann::json list = nlohmann::json::array();
        for (auto count = random.between(0, 3); count > 0; --count)
            list.push_back(random_value(random, depth + 1));
        return list;
    }
    default: {
        nlohmann::json object = nlohmann::json::object();
        for (auto count = random.between(0, 3); count > 0; --count)
            object[random.text(4)] = random_value(random, depth + 1);
        return object;
    }
    }
}

TEST(JsonHeader, AgreesWithALibraryOnRandomHeaders) {
    random_source random{20240101};
    remoting_command command; // reused, as a session does
    for (int round = 0; round < 20000; ++round) {
        nlohmann::json header = nlohmann::json::object();
        for (const char* key : {"code", "opaque", "flag", "version"})
            if (!random.one_in(5))
                header[key] = random.int32();
        if (!random.one_in(3))
            header["remark"] = random.text(10);
        if (!random.one_in(5)) {
            header["extFields"] = nlohmann::json::object();
            for (auto count = random.between(0, 20); count > 0; --count)
                header["extFields"][random.one_in(3) ? random.text(3) : random.plain(20)] =
                    random_value(random, 4); // scalars
        }
        for (auto count = random.between(0, 3); count > 0; --count)
            header[random.text(4) + "_"] = random_value(random, 0);
        const bool ascii = random.one_in(2);
        const std::string text = header.dump(random.one_in(2) ? 2 : -1, ' ', ascii);
        const byte_buffer frame = json_frame(text);
        const auto outcome = command.decode(only_frame(frame.view()));
        ASSERT_TRUE(outcome) << outcome.failure() << "\n" << text;
        expect_same(command, header);
        if (HasFailure())
            FAIL() << text;
    }
}

} // namespace
} // namespace holdfast::protocol
