#include "protocol/utf8.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace holdfast::protocol {
namespace {

// Sizes of the portions in which a text is read, malformed ones negative.
std::vector<int> portions(std::string_view text) {
    std::vector<int> sizes;
    while (!text.empty()) {
        const decoded_character decoded = decode_utf8(text);
        sizes.push_back(decoded.is_malformed ? -static_cast<int>(decoded.size)
                                             : static_cast<int>(decoded.size));
        EXPECT_EQ(decoded.is_malformed && decoded.code_point != replacement_character, false);
        text.remove_prefix(decoded.size);
    }
    return sizes;
}

TEST(Utf8, EveryCharacterThereAndBack) {
    for (char32_t point = 0; point <= 0x10FFFF; ++point) {
        if (point >= 0xD800 && point < 0xE000)
            continue;
        char text[4];
        const auto size = static_cast<std::size_t>(encode_utf8(text, point) - text);
        const decoded_character decoded = decode_utf8({text, size});
        ASSERT_EQ(decoded.code_point, point);
        ASSERT_EQ(decoded.size, size);
        ASSERT_FALSE(decoded.is_malformed);
    }
}

// The portions that `new String(bytes, UTF_8)` replaces by one U+FFFD each.
TEST(Utf8, MalformedPortionsAreJavas) {
    EXPECT_EQ(portions("\x80"), (std::vector<int>{-1}));
    EXPECT_EQ(portions("\xC0\x80"), (std::vector<int>{-1, -1}));         // overlong
    EXPECT_EQ(portions("\xE0\x80\x80"), (std::vector<int>{-1, -1, -1})); // overlong
    EXPECT_EQ(portions("\xE6\xBC"
                       "a"),
              (std::vector<int>{-2, 1}));                        // cut short
    EXPECT_EQ(portions("\xF0\x9F\x98"), (std::vector<int>{-3})); // cut at the end
    EXPECT_EQ(portions("\xF0\x80\x80\x80"), (std::vector<int>{-1, -1, -1, -1}));
    EXPECT_EQ(portions("\xF4\x90\x80\x80"), (std::vector<int>{-1, -1, -1, -1})); // over U+10FFFF
    EXPECT_EQ(portions("\xED\xA0\x80"), (std::vector<int>{-3}));                 // a surrogate is one
    EXPECT_EQ(portions("\xFF"
                       "ä"),
              (std::vector<int>{-1, 2}));
}

TEST(Utf8, ClipsBetweenCharacters) {
    EXPECT_EQ(clip_utf8("abc", 3), "abc");
    EXPECT_EQ(clip_utf8("abcd", 3), "abc");
    EXPECT_EQ(clip_utf8("aä", 2), "a");
    EXPECT_EQ(clip_utf8("a😀", 4), "a");
    EXPECT_EQ(clip_utf8("ä", 0), "");
    EXPECT_EQ(clip_utf8("\x80\x80\x80\x80\x80\x80", 5).size(), 2U); // broken anyway: three steps at most
}

} // namespace
} // namespace holdfast::protocol
