#include "config/parse_value.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::config {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::Optional;

TEST(parse_number, takes_digits_only) {
    EXPECT_THAT(parse_number("0"), Optional(0U));
    EXPECT_THAT(parse_number("004"), Optional(4U));
    EXPECT_THAT(parse_number("18446744073709551615"), Optional(18446744073709551615U));
    for (const auto* wrong : {"", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "18446744073709551616"})
        EXPECT_EQ(parse_number(wrong), std::nullopt) << wrong;
}

TEST(parse_bytes, takes_plain_bytes_and_suffixes) {
    EXPECT_THAT(parse_bytes("4194304"), Optional(4194304U));
    for (const auto* four_mib : {"4M", "4m", "4MB", "4MiB", "4 MiB", "4096K", "4194304B"})
        EXPECT_THAT(parse_bytes(four_mib), Optional(4194304U)) << four_mib;
    EXPECT_THAT(parse_bytes("1G"), Optional(1073741824U));
    for (const auto* wrong : {"", "M", "4X", "4MM", "-4M", "4.5M", "99999999999G", "4M 5"})
        EXPECT_EQ(parse_bytes(wrong), std::nullopt) << wrong;
}

TEST(show_bytes, uses_the_largest_whole_unit) {
    EXPECT_EQ(show_bytes(0), "0");
    EXPECT_EQ(show_bytes(1000), "1000");
    EXPECT_EQ(show_bytes(1536), "1536");
    EXPECT_EQ(show_bytes(4U << 20U), "4M");
    EXPECT_EQ(show_bytes(1ULL << 40U), "1T");
}

TEST(parse_flag, knows_true_and_false) {
    EXPECT_THAT(parse_flag("true"), Optional(true));
    EXPECT_THAT(parse_flag("FALSE"), Optional(false));
    for (const auto* wrong : {"", "yes", "1", "0", "on", "tru"})
        EXPECT_EQ(parse_flag(wrong), std::nullopt) << wrong;
}

TEST(parse_hours, takes_rocketmqs_list) {
    EXPECT_THAT(parse_hours("04"), Optional(ElementsAre(4U)));
    EXPECT_THAT(parse_hours("04;16; 23"), Optional(ElementsAre(4U, 16U, 23U)));
    for (const auto* wrong : {"", "24", "4;", "4,5", "-1"})
        EXPECT_EQ(parse_hours(wrong), std::nullopt) << wrong;
    EXPECT_EQ(show_hours({4, 16}), "04;16");
}

TEST(parse_delay_levels, reads_rocketmqs_default) {
    const auto text = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h";
    const auto levels = parse_delay_levels(text);
    ASSERT_TRUE(levels);
    EXPECT_EQ(*levels, node_config{}.delay_levels);
    EXPECT_EQ(show_delay_levels(*levels), text);
}

TEST(parse_delay_levels, knows_days_and_refuses_the_rest) {
    EXPECT_THAT(parse_delay_levels(" 1d  90s "), Optional(ElementsAre(seconds{86'400}, seconds{90})));
    EXPECT_THAT(parse_delay_levels("0s"), Optional(ElementsAre(seconds{0})));
    EXPECT_EQ(show_delay_levels({seconds{0}, seconds{90}}), "0s 90s");
    std::string too_many;
    for (int level = 0; level < 65; ++level)
        too_many += "1s ";
    for (const auto& wrong : {std::string{}, std::string{"1"}, std::string{"s"}, std::string{"1w"},
                              std::string{"-1s"}, std::string{"366d"}, too_many})
        EXPECT_EQ(parse_delay_levels(wrong), std::nullopt) << wrong;
}

TEST(parse_faults, reads_lists_and_shows_them_again) {
    const auto faults = parse_faults("sync:fail-after=10, space:full,write:fail-after=0,sync:ignore");
    ASSERT_TRUE(faults);
    EXPECT_THAT(faults->sync_fail_after, Optional(10U));
    EXPECT_THAT(faults->write_fail_after, Optional(0U));
    EXPECT_TRUE(faults->sync_ignore);
    EXPECT_TRUE(faults->space_full);
    EXPECT_TRUE(faults->any());
    EXPECT_EQ(parse_faults(show_faults(*faults)), faults);
    EXPECT_FALSE(fault_injection{}.any());
    for (const auto* wrong : {"", "sync", "sync:fail-after", "sync:fail-after=", "sync:fail-after=x",
                              "sync:ignore=1", "disk:melt", "sync:ignore,"})
        EXPECT_EQ(parse_faults(wrong), std::nullopt) << wrong;
}

TEST(is_ipv4, wants_four_small_numbers) {
    EXPECT_TRUE(is_ipv4("10.0.0.7"));
    EXPECT_TRUE(is_ipv4("255.255.255.255"));
    for (const auto* wrong : {"", "localhost", "10.0.0", "10.0.0.256", "10.0.0.7.1", "::1", "10.0.0.0007"})
        EXPECT_FALSE(is_ipv4(wrong)) << wrong;
}

} // namespace
} // namespace holdfast::config
