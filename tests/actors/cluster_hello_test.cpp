#include "actors/cluster_hello.hpp"

#include <gtest/gtest.h>

namespace holdfast::actors {
namespace {

TEST(cluster_hello, says_the_same_again) {
    for (const bool has_empty_log : {false, true})
        for (const bool serves_reads : {false, true})
            for (const bool is_full : {false, true}) {
                const cluster_hello said{"10.0.0.1:10911", 1U << 30U, has_empty_log, serves_reads, is_full};
                EXPECT_EQ(decode_cluster_hello(encode(said)), said) << encode(said);
            }
}

TEST(cluster_hello, of_another_version_is_understood_as_far_as_it_goes) {
    const auto older = decode_cluster_hello("address=10.0.0.1:10911 segment=4096 empty=1");
    ASSERT_TRUE(older);
    EXPECT_TRUE(older->has_empty_log);
    EXPECT_FALSE(older->serves_reads);
    EXPECT_FALSE(older->is_full);
    EXPECT_TRUE(decode_cluster_hello("colour=red address=10.0.0.1:10911 segment=4096 empty=1"));
}

TEST(cluster_hello, without_what_is_needed_is_none) {
    EXPECT_FALSE(decode_cluster_hello("address=10.0.0.1:10911 segment=4096"));
    EXPECT_FALSE(decode_cluster_hello("address=10.0.0.1:10911 empty=0"));
    EXPECT_FALSE(decode_cluster_hello("segment=4096 empty=0"));
    EXPECT_FALSE(decode_cluster_hello("address=10.0.0.1:10911 segment=4096x empty=0"));
    EXPECT_FALSE(decode_cluster_hello("nonsense"));
    EXPECT_FALSE(decode_cluster_hello(""));
}

} // namespace
} // namespace holdfast::actors
