#include "cli/time_words.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace holdfast::cli {
namespace {

constexpr timestamp_ms now{1'800'000'000'000};

class time_words : public ::testing::Test {
  protected:
    time_words() {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }
    static std::int64_t read(const std::string& text) {
        const auto time = parse_time(text, now);
        return time.ok() ? time->value() : -1;
    }
};

TEST_F(time_words, are_read_as_a_date_an_age_or_a_number) {
    EXPECT_EQ(read("1700000000000"), 1'700'000'000'000);
    EXPECT_EQ(read("0"), 0);
    EXPECT_EQ(read("2026-11-23 18:00"), 1'795'456'800'000);
    EXPECT_EQ(read("2026-11-23 18:00:30"), 1'795'456'830'000);
    EXPECT_EQ(read("2026-11-23T18:00:30"), 1'795'456'830'000);
    EXPECT_EQ(read("2026-11-23"), 1'795'392'000'000) << "its beginning";
    EXPECT_EQ(read("30s"), now.value() - 30'000);
    EXPECT_EQ(read("10m"), now.value() - 600'000);
    EXPECT_EQ(read("2h"), now.value() - 7'200'000);
    EXPECT_EQ(read("1d"), now.value() - 86'400'000);
}

TEST_F(time_words, that_are_none_are_refused_with_what_to_write) {
    for (const char* text : {"", "someday", "-5", "10 m", "10x", "10mm", "2026-13-23 18:00",
                             "2026-11-23 18:00 ", "99999999999999999999", "999999999d", "1e3"})
        EXPECT_EQ(read(text), -1) << text;
    EXPECT_NE(parse_time("someday", now).failure().message.find("10m"), std::string::npos);
}

} // namespace
} // namespace holdfast::cli
