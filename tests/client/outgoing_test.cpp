#include "client/compression.hpp"
#include "client/outgoing.hpp"
#include "protocol/batch.hpp"
#include "protocol/codes.hpp"
#include "protocol/properties.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::client {
namespace {

using ::testing::HasSubstr;

message good() {
    return {.topic = "T", .body = "hi", .tag = {}, .keys = {}};
}

std::string refusal_of(const message& outgoing, std::size_t max_bytes = 1'000) {
    const auto checked = check_message(outgoing, max_bytes);
    if (checked)
        return "accepted";
    EXPECT_EQ(checked.failure().code, errc::invalid_argument);
    return checked.failure().message;
}

TEST(outgoing, refuses_what_no_broker_would_take_and_says_why) {
    EXPECT_EQ(refusal_of(good()), "accepted");
    auto bad = good();
    bad.topic = "no spaces";
    EXPECT_FALSE(check_message(bad, 1'000).ok());
    bad = good();
    bad.body.clear();
    EXPECT_THAT(refusal_of(bad), HasSubstr("empty"));
    bad = good();
    bad.body.resize(1'001);
    EXPECT_THAT(refusal_of(bad), HasSubstr("1001"));
    bad = good();
    bad.tag = "a || b";
    EXPECT_THAT(refusal_of(bad), HasSubstr("operators"));
    bad = good();
    bad.tag = "*";
    EXPECT_THAT(refusal_of(bad), HasSubstr("operators"));
    for (const char* name : {"UNIQ_KEY", "DELAY", "TRAN_MSG", "KEYS", "REAL_TOPIC"}) {
        bad = good();
        bad.properties = {{name, "x"}};
        EXPECT_THAT(refusal_of(bad), HasSubstr(name));
    }
    bad = good();
    bad.properties = {{"a", std::string("b\2c")}};
    EXPECT_FALSE(check_message(bad, 1'000).ok());
    bad = good();
    bad.properties = {{"a", std::string(32'400, 'b')}};
    EXPECT_THAT(refusal_of(bad), HasSubstr("properties"));
}

TEST(outgoing, writes_keys_id_tag_and_the_applications_own) {
    auto outgoing = good();
    outgoing.keys = "k1 k2";
    outgoing.tag = "blue";
    outgoing.properties = {{"colour", "dark"}};
    EXPECT_EQ(make_properties(outgoing, "ID"), "KEYS\1k1 k2\2UNIQ_KEY\1ID\2TAGS\1blue\2colour\1dark\2");
    EXPECT_EQ(make_properties(good(), "ID"), "UNIQ_KEY\1ID\2");
}

TEST(outgoing, compresses_what_is_large_and_shrinks) {
    producer_options options;
    std::string body(4'097, 'x');
    EXPECT_EQ(compress_body(body, options), protocol::sys_flag::compressed);
    EXPECT_EQ(*inflate_text(body), std::string(4'097, 'x'));
    body.assign(4'096, 'x');
    EXPECT_EQ(compress_body(body, options), 0);
    options.compress_over_bytes = 0;
    body.assign(100'000, 'x');
    EXPECT_EQ(compress_body(body, options), 0);
    EXPECT_EQ(body.size(), 100'000U);
}

TEST(outgoing, makes_batches_of_one_topic) {
    protocol::unique_key_generator ids{1, 2, 3};
    auto second = good();
    second.body = "there";
    second.tag = "blue";
    const std::vector<message> both{good(), second};
    const auto body = make_batch(both, 1'000, ids, timestamp_ms{0});
    ASSERT_TRUE(body.ok());
    protocol::batch_reader reader{as_bytes(*body)};
    const auto first_read = reader.next();
    const auto second_read = reader.next();
    EXPECT_EQ(as_text((*first_read)->body), "hi");
    EXPECT_EQ(as_text((*second_read)->body), "there");
    EXPECT_EQ(protocol::find_property((*second_read)->properties, "TAGS"), "blue");
    EXPECT_NE(protocol::find_property((*first_read)->properties, "UNIQ_KEY"),
              protocol::find_property((*second_read)->properties, "UNIQ_KEY"));
    EXPECT_FALSE(reader.next().has_value());
}

TEST(outgoing, refuses_senseless_batches) {
    protocol::unique_key_generator ids{1, 2, 3};
    const auto refused = [&](const std::vector<message>& messages, std::size_t most) {
        const auto body = make_batch(messages, most, ids, timestamp_ms{0});
        return body.ok() ? std::string{"accepted"} : body.failure().message;
    };
    EXPECT_THAT(refused({}, 1'000), HasSubstr("empty"));
    auto other = good();
    other.topic = "U";
    EXPECT_THAT(refused({good(), other}, 1'000), HasSubstr("mixes"));
    EXPECT_THAT(refused({good(), good(), good()}, 100), HasSubstr("split"));
    auto bad = good();
    bad.body.clear();
    EXPECT_THAT(refused({good(), bad}, 1'000), HasSubstr("empty"));
}

} // namespace
} // namespace holdfast::client
