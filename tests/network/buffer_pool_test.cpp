#include "network/buffer_pool.hpp"

#include <gtest/gtest.h>

namespace holdfast::network {
namespace {

TEST(buffer_pool, gives_a_returned_buffer_again) {
    const auto pool = std::make_shared<buffer_pool>();
    const auto* first = pool->take(1000)->data();
    EXPECT_EQ(pool->unused_bytes(), 64U << 10U);
    EXPECT_EQ(pool->take(60'000)->data(), first);
}

TEST(buffer_pool, has_at_least_what_was_asked_for) {
    const auto pool = std::make_shared<buffer_pool>();
    for (const std::size_t wanted : {1U, 65'536U, 65'537U, 1'000'000U, 1'048'576U, 1'048'577U, 16'777'216U})
        EXPECT_GE(pool->take(wanted)->capacity(), wanted);
}

TEST(buffer_pool, keeps_no_more_than_it_was_told) {
    const auto pool = std::make_shared<buffer_pool>(128U << 10U);
    {
        const auto one = pool->take(1);
        const auto two = pool->take(1);
        const auto three = pool->take(1);
        const auto huge = pool->take(4U << 20U);
    }
    EXPECT_EQ(pool->unused_bytes(), 128U << 10U);
}

TEST(buffer_pool, may_go_before_its_buffers) {
    auto pool = std::make_shared<buffer_pool>();
    const auto buffer = pool->take(10);
    pool.reset();
    buffer->data()[9] = std::byte{1};
    EXPECT_EQ(buffer->data()[9], std::byte{1});
}

} // namespace
} // namespace holdfast::network
