#include "client/endpoint.hpp"

#include <gtest/gtest.h>

namespace holdfast::client {
namespace {

TEST(endpoint, reads_names_and_both_kinds_of_address) {
    EXPECT_EQ(*endpoint::parse("broker-a:10911"), (endpoint{"broker-a", 10911}));
    EXPECT_EQ(*endpoint::parse("127.0.0.1:1"), (endpoint{"127.0.0.1", 1}));
    EXPECT_EQ(*endpoint::parse("[::1]:65535"), (endpoint{"::1", 65535}));
    EXPECT_EQ(endpoint::parse("[::1]:65535")->text(), "[::1]:65535");
    EXPECT_EQ(endpoint::parse("broker-a:10911")->text(), "broker-a:10911");
}

TEST(endpoint, refuses_what_is_no_address_and_says_how_to_write_one) {
    for (const char* text :
         {"", "host", ":9876", "host:", "host:0", "host:65536", "host:12x", "::1:9876", "host:-1"}) {
        const auto parsed = endpoint::parse(text);
        ASSERT_FALSE(parsed.ok()) << text;
        EXPECT_EQ(parsed.failure().code, errc::invalid_argument);
        EXPECT_NE(parsed.failure().message.find("host:port"), std::string::npos) << parsed.failure().message;
    }
}

TEST(endpoint, reads_lists) {
    const auto both = endpoint::parse_list("a:1;b:2;");
    ASSERT_TRUE(both.ok());
    EXPECT_EQ(*both, (std::vector<endpoint>{{"a", 1}, {"b", 2}}));
    EXPECT_FALSE(endpoint::parse_list("").ok());
    EXPECT_FALSE(endpoint::parse_list(";;").ok());
    EXPECT_FALSE(endpoint::parse_list("a:1;b").ok());
}

} // namespace
} // namespace holdfast::client
