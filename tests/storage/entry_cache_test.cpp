#include "storage/entry_cache.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace holdfast::storage {
namespace {

shared_bytes entry_of(std::size_t size) {
    return shared_bytes::copy_of(std::vector<std::byte>(size));
}

TEST(entry_cache, least_recently_used_go_first) {
    entry_cache cache{4000};
    cache.insert(log_position{0}, entry_of(1000));
    cache.insert(log_position{1024}, entry_of(1000));
    cache.insert(log_position{2048}, entry_of(1000));
    EXPECT_TRUE(cache.find(log_position{0}).has_value());
    cache.insert(log_position{3072}, entry_of(1000));
    EXPECT_TRUE(cache.find(log_position{0}).has_value());
    EXPECT_FALSE(cache.find(log_position{1024}).has_value());
    EXPECT_TRUE(cache.find(log_position{3072}).has_value());
    EXPECT_LE(cache.size_bytes(), 4000U);
}

TEST(entry_cache, finds_the_entry_around_a_byte) {
    entry_cache cache{100000};
    cache.insert(log_position{0}, entry_of(100));
    cache.insert(log_position{128}, entry_of(100));
    EXPECT_EQ(cache.find_containing(log_position{0})->position, log_position{0});
    EXPECT_EQ(cache.find_containing(log_position{99})->position, log_position{0});
    EXPECT_FALSE(cache.find_containing(log_position{100}).has_value()); // padding
    EXPECT_EQ(cache.find_containing(log_position{128})->position, log_position{128});
    EXPECT_FALSE(cache.find_containing(log_position{228}).has_value());
}

TEST(entry_cache, erases_tail_and_beginning) {
    entry_cache cache{100000};
    for (std::uint64_t at = 0; at < 10; ++at)
        cache.insert(log_position{at * 64}, entry_of(64));
    cache.erase_from(log_position{7 * 64});
    cache.erase_before(log_position{3 * 64});
    for (std::uint64_t at = 0; at < 10; ++at)
        EXPECT_EQ(cache.find(log_position{at * 64}).has_value(), at >= 3 && at < 7) << at;
    cache.erase_from(log_position{});
    EXPECT_EQ(cache.size_bytes(), 0U);
}

TEST(entry_cache, same_position_replaces_and_what_is_too_large_stays_out) {
    entry_cache cache{1000};
    cache.insert(log_position{0}, entry_of(100));
    const auto size = cache.size_bytes();
    cache.insert(log_position{0}, entry_of(100));
    EXPECT_EQ(cache.size_bytes(), size);
    cache.insert(log_position{64}, entry_of(2000));
    EXPECT_FALSE(cache.find(log_position{64}).has_value());
    EXPECT_TRUE(cache.find(log_position{0}).has_value());
}

} // namespace
} // namespace holdfast::storage
