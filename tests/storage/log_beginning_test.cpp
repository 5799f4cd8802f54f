#include "storage/log_beginning.hpp"

#include "storage/log_writer.hpp"
#include "storage/truncation.hpp"
#include "tests/storage/sample_log.hpp"
#include "tests/storage/simulated_disk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::storage {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t segment_size = 16384;
const path directory{"/store/commitlog"};

class log_beginning_test : public ::testing::Test {
  protected:
    log_beginning_test() { options_.segments = {segment_size, write_mode::direct}; }

    result<recovered_log> recovered() { return recover(*disk_, directory, options_); }
    void new_disk(std::uint64_t seed) {
        disk_ = std::make_unique<simulated_disk>(simulated_disk_options{seed});
        sample_ = {};
    }
    void append(std::size_t entries) {
        auto log = recovered();
        ASSERT_TRUE(log.ok()) << log.failure();
        sample_.continue_at(*log);
        auto writer = log_writer::open(*log->segments, log->end);
        ASSERT_TRUE(writer.ok()) << writer.failure();
        for (std::size_t i = 0; i < entries; ++i) {
            const auto at = (*writer)->written_until();
            ASSERT_TRUE((*writer)->write(sample_.make(3000, at, i), at).ok());
            ASSERT_TRUE((*writer)->flush().ok());
        }
    }

    std::unique_ptr<simulated_disk> disk_ = std::make_unique<simulated_disk>(simulated_disk_options{});
    recovery_options options_;
    testing::sample_log sample_;
};

TEST_F(log_beginning_test, an_empty_log_begins_there_and_goes_on) {
    append(14);
    for (const auto first : {log_position{10 * segment_size}, log_position{segment_size}, log_position{}}) {
        ASSERT_TRUE(begin_log_at(*disk_, directory, first).ok());
        for (int start = 0; start < 2; ++start) {
            const auto log = recovered();
            ASSERT_TRUE(log.ok()) << log.failure();
            EXPECT_EQ(log->first, first);
            EXPECT_EQ(log->end, first);
            EXPECT_FALSE(log->last_entry.has_value());
            EXPECT_EQ(log->geometry, (segment_geometry{first, segment_size, segment_size}));
            EXPECT_EQ(log->segments->first(), first);
        }
        disk_->crash();
        append(14);
        disk_->crash();
        const auto log = recovered();
        ASSERT_TRUE(log.ok()) << log.failure();
        EXPECT_EQ(log->end, sample_.next());
        EXPECT_EQ(log->first, first);
    }
}

TEST_F(log_beginning_test, it_vouches_for_no_other_position) {
    const log_position first{4 * segment_size};
    ASSERT_TRUE(begin_log_at(*disk_, directory, first).ok());
    append(14);
    {
        const auto log = recovered();
        ASSERT_TRUE(log.ok()) << log.failure();
        ASSERT_EQ(*log->segments->remove_before(log_position{first + segment_size}), 1U);
    }
    for (const auto& one : recovered()->segments->list())
        disk_->overwrite(one->name(), 0, std::vector<std::byte>(segment_size));
    const auto log = recovered();
    ASSERT_FALSE(log.ok());
    EXPECT_EQ(log.failure().code, errc::corrupted);
    EXPECT_THAT(log.failure().message, HasSubstr("older segments were removed"));
}

TEST_F(log_beginning_test, damage_and_impossible_positions_are_refused) {
    EXPECT_EQ(begin_log_at(*disk_, directory, log_position{64}).failure().code, errc::invalid_argument);
    append(3);
    ASSERT_TRUE(begin_log_at(*disk_, directory, log_position{segment_size}).ok());
    disk_->flip_bit(directory / "beginning", 24, 0);
    const auto log = recovered();
    ASSERT_FALSE(log.ok());
    EXPECT_EQ(log.failure().code, errc::corrupted);
    EXPECT_THAT(log.failure().message, HasSubstr("beginning"));
    disk_->flip_bit(directory / "beginning", 24, 0);
    EXPECT_EQ(recovered()->end, log_position{segment_size});
}

TEST_F(log_beginning_test, a_cut_that_was_under_way_is_forgotten) {
    append(5);
    const auto at = sample_.entries()[1].header.position;
    disk_->cut_power_after(6); // the cut's intent is on the disk, the zeros are not
    auto segments = segment_set::open(*disk_, directory, options_.segments);
    ASSERT_TRUE(segments.ok());
    ASSERT_FALSE(truncate_segments(**segments, {at, sample_.next()}).ok());
    disk_->crash();
    ASSERT_TRUE(begin_log_at(*disk_, directory, log_position{2 * segment_size}).ok());
    options_.durable_until = log_position{2 * segment_size};
    const auto log = recovered();
    ASSERT_TRUE(log.ok()) << log.failure();
    EXPECT_EQ(log->end, log_position{2 * segment_size});
}

// The power goes after every step, also of the recovery: the old log whole, or the new one empty.
TEST_F(log_beginning_test, power_cuts_leave_the_old_log_or_the_new_one) {
    const log_position first{7 * segment_size};
    for (std::uint64_t seed = 1; seed <= 20; ++seed)
        for (std::uint64_t steps = 0; steps < 30; ++steps) {
            new_disk(seed);
            append(14);
            disk_->cut_power_after(steps);
            const bool begun = begin_log_at(*disk_, directory, first).ok();
            if (begun)
                (void)recovered();
            disk_->crash();
            const auto log = recovered();
            ASSERT_TRUE(log.ok()) << log.failure() << " seed " << seed << ", steps " << steps;
            const bool is_new = log->end == first && log->first == first && !log->last_entry;
            const bool is_old = log->end == sample_.next() && log->first == log_position{};
            EXPECT_TRUE(is_new || (is_old && !begun)) << "seed " << seed << ", steps " << steps;
        }
}

} // namespace
} // namespace holdfast::storage
