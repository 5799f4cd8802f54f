#include "protocol/codes.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

TEST(Codes, LanguagesByNameAndNumber) {
    for (int ordinal = 0; ordinal <= 13; ++ordinal) {
        const language value = language_numbered(ordinal);
        EXPECT_EQ(static_cast<int>(value), ordinal);
        EXPECT_EQ(language_named(to_string(value)), value);
    }
    EXPECT_EQ(language_named("java"), language::unknown);
    EXPECT_EQ(language_numbered(14), language::unknown);
    EXPECT_EQ(language_numbered(-1), language::unknown);
    EXPECT_EQ(to_string(language::unknown), "OTHER");
}

TEST(Codes, ResponseNames) {
    EXPECT_EQ(to_string(response_code::pull_offset_moved), "PULL_OFFSET_MOVED");
    EXPECT_EQ(to_string(static_cast<response_code>(31337)), "code");
}

// T28: below 232 Java refuses SQL subscriptions; 401 is where it asks for standard JSON.
TEST(Codes, T28AnnouncedVersionIsNewEnough) {
    EXPECT_GE(version::announced, version::v4_1_0_snapshot);
    EXPECT_EQ(version::announced, 409);
}

} // namespace
} // namespace holdfast::protocol
