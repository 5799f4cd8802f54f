#include "network/frame_batch.hpp"

#include <gtest/gtest.h>

namespace holdfast::network {
namespace {

TEST(frame_batch, slices_without_copying_and_keeps_the_bytes) {
    auto bytes = shared_bytes::copy_of(as_bytes("onetwothree"));
    const auto* where = bytes.data();
    frame_batch batch{std::move(bytes), {{0, 3}, {3, 3}, {6, 5}}};
    EXPECT_EQ(batch.size(), 3U);
    EXPECT_EQ(batch.bytes(), 11U);
    EXPECT_EQ(as_text(batch.view(1)), "two");
    const auto kept = batch.slice(2);
    batch = {};
    EXPECT_TRUE(batch.empty());
    EXPECT_EQ(as_text(kept.view()), "three");
    EXPECT_EQ(kept.data(), where + 6);
}

} // namespace
} // namespace holdfast::network
