#include "storage/hard_state.hpp"

#include "tests/storage/simulated_disk.hpp"

#include <gtest/gtest.h>

namespace holdfast::storage {
namespace {

const path name{"/store/hard_state"};

class hard_state_test : public ::testing::Test {
  protected:
    hard_state_test() {
        HOLDFAST_CHECK(disk_.create_directories("/store").ok());
        state_.id = make_store_id();
        state_.cluster = "DefaultCluster";
        state_.node_name = "node-1";
        state_.term = term_number{42};
        state_.vote = "node-2";
    }

    simulated_disk disk_{{}};
    hard_state state_;
};

TEST_F(hard_state_test, comes_back_after_a_crash) {
    EXPECT_FALSE(load_hard_state(disk_, name)->has_value());
    ASSERT_TRUE(save_hard_state(disk_, name, state_).ok());
    disk_.crash();
    EXPECT_EQ(load_hard_state(disk_, name)->value(), state_);
}

TEST_F(hard_state_test, golden_bytes) {
    state_.id = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    ASSERT_TRUE(save_hard_state(disk_, name, state_).ok());
    const auto bytes = disk_.content(name);
    ASSERT_EQ(bytes.size(), 40U + 2 + 14 + 2 + 6 + 2 + 6);
    EXPECT_EQ(as_text(byte_view{bytes}.first(4)), "HFHS");
    EXPECT_EQ(load_little<std::uint32_t>(bytes.data() + 8), 1U);
    EXPECT_EQ(load_little<std::uint32_t>(bytes.data() + 12), 0U);
    EXPECT_EQ(load_little<std::uint8_t>(bytes.data() + 31), 15U);
    EXPECT_EQ(load_little<std::uint64_t>(bytes.data() + 32), 42U);
    EXPECT_EQ(load_little<std::uint16_t>(bytes.data() + 40), 14U);
    EXPECT_EQ(as_text(byte_view{bytes}.subspan(42, 14)), "DefaultCluster");
    EXPECT_EQ(to_string(state_.id), "00010203-0405-0607-0809-0a0b0c0d0e0f");
}

TEST_F(hard_state_test, old_or_new_whatever_interrupts_the_replacing) {
    for (std::uint64_t operations = 0; operations < 10; ++operations) {
        simulated_disk disk{{operations + 1, 512, UINT64_MAX}};
        ASSERT_TRUE(disk.create_directories("/store").ok());
        ASSERT_TRUE(save_hard_state(disk, name, state_).ok());
        auto changed = state_;
        changed.term = term_number{43};
        changed.vote = "node-1";
        disk.cut_power_after(operations);
        const auto saved = save_hard_state(disk, name, changed);
        disk.crash();
        const auto loaded = load_hard_state(disk, name);
        ASSERT_TRUE(loaded.ok()) << loaded.failure();
        ASSERT_TRUE(loaded->has_value());
        EXPECT_TRUE(**loaded == changed || (!saved.ok() && **loaded == state_));
    }
}

TEST_F(hard_state_test, every_damaged_byte_is_noticed) {
    ASSERT_TRUE(save_hard_state(disk_, name, state_).ok());
    const auto size = disk_.content(name).size();
    for (std::size_t at = 0; at < size; ++at) {
        disk_.flip_bit(name, at, at % 8);
        EXPECT_EQ(load_hard_state(disk_, name).failure().code, errc::corrupted) << at;
        disk_.flip_bit(name, at, at % 8);
    }
    disk_.resize(name, 12);
    EXPECT_EQ(load_hard_state(disk_, name).failure().code, errc::corrupted);
    disk_.resize(name, 100000);
    EXPECT_EQ(load_hard_state(disk_, name).failure().code, errc::corrupted);
}

TEST_F(hard_state_test, ids_differ) {
    EXPECT_NE(make_store_id(), make_store_id());
}

} // namespace
} // namespace holdfast::storage
