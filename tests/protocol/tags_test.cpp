#include "protocol/tags.hpp"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::protocol {
namespace {

// T21: computed on UTF-16 units. The figures are Java's String.hashCode.
TEST(Tags, T21HashIsJavas) {
    EXPECT_EQ(java_hash(""), 0);
    EXPECT_EQ(java_hash("A"), 65);
    EXPECT_EQ(java_hash("TagA"), 2598919);
    EXPECT_EQ(java_hash("ä"), 0xE4);
    EXPECT_EQ(java_hash("漢"), 0x6F22);
    EXPECT_EQ(java_hash("😀"), 0xD83D * 31 + 0xDE00); // two units
    EXPECT_EQ(java_hash("polygenelubricants"), INT32_MIN);
    EXPECT_EQ(java_hash("zzzzzzzzzzzz"), java_hash(std::string(12, 'z')));
    EXPECT_LT(java_hash("polygenelubricant"), INT32_MAX);
}

TEST(Tags, T21BadUtf8CountsAsReplacementCharacters) {
    EXPECT_EQ(java_hash("\xFF"), 0xFFFD);
    EXPECT_EQ(java_hash("a\x80z"), ('a' * 31 + 0xFFFD) * 31 + 'z');
    EXPECT_EQ(java_hash("\xED\xA0\x80"), 0xFFFD); // an encoded surrogate is one
    EXPECT_EQ(java_hash("\xE6\xBC"), 0xFFFD);
}

TEST(Tags, CodeIsSignExtendedAndZeroForNone) {
    EXPECT_EQ(tags_code(""), 0);
    EXPECT_EQ(tags_code("TagA"), 2598919);
    EXPECT_EQ(tags_code("polygenelubricants"), std::int64_t{INT32_MIN});
}

TEST(Tags, AllExpressions) {
    for (const std::string_view expression : {"", "*"}) {
        const auto filter = tag_filter::parse(expression);
        ASSERT_TRUE(filter);
        EXPECT_TRUE(filter->selects_all());
        EXPECT_TRUE(filter->matches(0));
        EXPECT_TRUE(filter->matches_tag("x"));
    }
}

TEST(Tags, Alternatives) {
    const auto filter = tag_filter::parse(" A ||B|| polygenelubricants||");
    ASSERT_TRUE(filter);
    EXPECT_EQ(filter->tags(), (std::vector<std::string>{"A", "B", "polygenelubricants"}));
    EXPECT_EQ(filter->hashes(), (std::vector<std::int32_t>{65, 66, INT32_MIN}));
    EXPECT_TRUE(filter->matches(tags_code("B")));
    EXPECT_TRUE(filter->matches(tags_code("polygenelubricants")));
    EXPECT_FALSE(filter->matches(tags_code("C")));
    EXPECT_FALSE(filter->matches(0));
    EXPECT_TRUE(filter->matches_tag("A"));
    EXPECT_FALSE(filter->matches_tag("a"));
}

// Two texts with one hash: the broker lets both pass, the client tells them apart.
TEST(Tags, CollisionsOverDeliver) {
    const auto filter = tag_filter::parse("Aa");
    ASSERT_TRUE(filter);
    EXPECT_TRUE(filter->matches(tags_code("BB")));
    EXPECT_FALSE(filter->matches_tag("BB"));
}

TEST(Tags, ExpressionsWithoutATagAreRefused) {
    for (const std::string_view expression : {"||", " ", " || || "}) {
        const auto filter = tag_filter::parse(expression);
        ASSERT_FALSE(filter) << expression;
        EXPECT_EQ(filter.failure().code, errc::invalid_argument);
    }
}

TEST(Tags, ASinglePipeIsPartOfATag) {
    const auto filter = tag_filter::parse("A|B");
    ASSERT_TRUE(filter);
    EXPECT_EQ(filter->tags(), (std::vector<std::string>{"A|B"}));
}

} // namespace
} // namespace holdfast::protocol
