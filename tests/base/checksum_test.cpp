#include "base/bytes.hpp"
#include "base/checksum.hpp"

#include <gtest/gtest.h>
#include <string>

namespace holdfast {
namespace {

TEST(checksum, published_vectors) {
    EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283U);
    EXPECT_EQ(crc32_ieee(as_bytes("123456789")), 0xCBF43926U);
    EXPECT_EQ(crc32c({}), 0U);
}

TEST(checksum, rocketmq_body_crc_keeps_31_bits) {
    EXPECT_EQ(crc32_ieee(as_bytes("hi")) & 0x7FFFFFFFU, 1486039724U);
}

TEST(checksum, continues_over_pieces) {
    const std::string text(100'000, 'x');
    const auto whole = as_bytes(text);
    for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{4096}, text.size()}) {
        EXPECT_EQ(crc32c(whole.subspan(cut), crc32c(whole.first(cut))), crc32c(whole));
        EXPECT_EQ(crc32_ieee(whole.subspan(cut), crc32_ieee(whole.first(cut))), crc32_ieee(whole));
    }
}

} // namespace
} // namespace holdfast
