#include "client/compression.hpp"

#include <gtest/gtest.h>
#include <random>

namespace holdfast::client {
namespace {

TEST(compression, gives_back_what_went_in) {
    std::string text;
    for (int line = 0; line < 1'000; ++line)
        text += "line " + std::to_string(line % 17) + "\n";
    const std::string small = deflate_text(text, 5);
    ASSERT_FALSE(small.empty());
    EXPECT_LT(small.size(), text.size() / 4);
    // The zlib header, which all of RocketMQ's clients expect (protocol reference 5.3).
    EXPECT_EQ(small[0], '\x78');
    const auto again = inflate_text(small);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(*again, text);
}

TEST(compression, declines_when_it_does_not_pay) {
    std::mt19937 random{1}; // NOLINT(cert-msc51-cpp): the same noise every time
    std::string noise(5'000, '\0');
    for (char& each : noise)
        each = static_cast<char>(random());
    EXPECT_TRUE(deflate_text(noise, 9).empty());
    EXPECT_TRUE(deflate_text("", 5).empty());
}

TEST(compression, refuses_damage_cuts_and_bombs) {
    const std::string small = deflate_text(std::string(1'000'000, 'x'), 5);
    EXPECT_EQ(inflate_text(small, 10'000).failure().code, errc::too_large);
    EXPECT_EQ(inflate_text("no zlib stream at all").failure().code, errc::malformed);
    EXPECT_EQ(inflate_text("").failure().code, errc::malformed);
    for (std::size_t cut = 1; cut < small.size(); cut += 7)
        EXPECT_FALSE(inflate_text(std::string_view{small}.substr(0, cut)).ok()) << cut;
}

} // namespace
} // namespace holdfast::client
