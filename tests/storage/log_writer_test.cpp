#include "storage/log_writer.hpp"

#include "storage/fault_file_system.hpp"
#include "storage/log_scanner.hpp"
#include "tests/storage/sample_log.hpp"
#include "tests/storage/simulated_disk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::storage {
namespace {

using ::testing::HasSubstr;

const path directory{"/store/commitlog"};
constexpr std::uint64_t segment_size = 65536;

class log_writer_test : public ::testing::TestWithParam<write_mode> {
  protected:
    void open_on(file_system& files) {
        recovery_options options;
        options.segments = {segment_size, GetParam()};
        auto log = recover(files, directory, options);
        ASSERT_TRUE(log.ok()) << log.failure();
        sample_.continue_at(*log);
        log_ = *std::move(log);
        auto writer = log_writer::open(*log_.segments, log_.end);
        ASSERT_TRUE(writer.ok()) << writer.failure();
        writer_ = *std::move(writer);
    }

    result<void> append(std::size_t body_size) {
        const auto at = writer_->written_until();
        const auto entries = sample_.make(body_size, writer_->flushed_until(), 1);
        return writer_->write(entries, at);
    }

    simulated_disk disk_{{}};
    recovered_log log_;
    testing::sample_log sample_;
    std::unique_ptr<log_writer> writer_;
};

TEST_P(log_writer_test, marks_move_with_write_and_flush) {
    open_on(disk_);
    ASSERT_TRUE(append(100).ok());
    EXPECT_EQ(writer_->written_until(), log_position{192});
    EXPECT_EQ(writer_->flushed_until(), log_position{0});
    ASSERT_TRUE(writer_->flush().ok());
    EXPECT_EQ(writer_->flushed_until(), log_position{192});
}

TEST_P(log_writer_test, batch_larger_than_its_buffer_is_written_whole) {
    recovery_options options;
    options.segments = {32U << 20U, GetParam()};
    auto log = recover(disk_, directory, options);
    ASSERT_TRUE(log.ok());
    sample_.continue_at(*log);
    auto writer = log_writer::open(*log->segments, log->end);
    const auto entries = sample_.make(9'000'001, {}, 7);
    ASSERT_TRUE((*writer)->write(entries, {}).ok());
    ASSERT_TRUE((*writer)->flush().ok());
    disk_.crash();
    log = recover(disk_, directory, options);
    ASSERT_TRUE(log.ok());
    EXPECT_EQ(log->last_checksum, sample_.entries()[0].header.checksum);
}

TEST_P(log_writer_test, entries_out_of_place_are_refused_in_words_and_do_no_harm) {
    open_on(disk_);
    const auto first = sample_.make(100, {}, 1);
    const auto second = sample_.make(100, {}, 2);
    auto outcome = writer_->write(second, sample_.entries()[1].header.position);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.failure().code, errc::invalid_argument);
    EXPECT_THAT(outcome.failure().message, HasSubstr("the log ends at 0"));
    EXPECT_FALSE(writer_->write(second, {}).ok());
    const std::vector<shared_bytes> padded{shared_bytes::copy_of(std::vector<std::byte>(128))};
    EXPECT_FALSE(writer_->write(padded, {}).ok());
    EXPECT_TRUE(writer_->write(first, {}).ok());
    EXPECT_TRUE(writer_->write(second, sample_.entries()[1].header.position).ok());
    EXPECT_TRUE(writer_->flush().ok());
}

TEST_P(log_writer_test, entry_across_a_segments_end_is_refused) {
    open_on(disk_);
    entry_header header;
    std::vector<std::byte> bytes(segment_size + 1);
    seal_entry(header, bytes);
    const std::vector<shared_bytes> entries{shared_bytes::copy_of(bytes)};
    const auto outcome = writer_->write(entries, {});
    ASSERT_FALSE(outcome.ok());
    EXPECT_THAT(outcome.failure().message, HasSubstr("a filler must come first"));
}

TEST_P(log_writer_test, failed_flush_fences_for_ever) {
    fault_settings faults;
    faults.fail_sync_from = 4; // the segment's creation is the first
    fault_file_system files{disk_, faults};
    open_on(files);
    result<void> outcome;
    while (outcome.ok()) {
        const auto flushed = writer_->flushed_until();
        outcome = append(100);
        if (outcome)
            outcome = writer_->flush();
        EXPECT_TRUE(outcome.ok() || writer_->flushed_until() == flushed);
        ASSERT_LT(sample_.entries().size(), 10U);
    }
    EXPECT_EQ(outcome.failure().code, errc::io_failed);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(append(100).failure(), outcome.failure());
        EXPECT_EQ(writer_->flush().failure(), outcome.failure());
    }
    EXPECT_EQ(writer_->failure(), outcome.failure());
}

// The disk works again after one failure: the fence must hold all the same.
TEST_P(log_writer_test, flush_that_failed_once_is_never_tried_again) {
    open_on(disk_);
    ASSERT_TRUE(append(100).ok());
    ASSERT_TRUE(writer_->flush().ok());
    const auto flushed = writer_->flushed_until();
    disk_.fail_sync_after(0);
    auto outcome = append(100);
    if (outcome)
        outcome = writer_->flush();
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(append(100).failure(), outcome.failure());
    EXPECT_EQ(writer_->flush().failure(), outcome.failure());
    EXPECT_EQ(writer_->flushed_until(), flushed);
}

TEST_P(log_writer_test, failed_write_fences_for_ever) {
    fault_settings faults;
    faults.fail_write_from = 2;
    fault_file_system files{disk_, faults};
    open_on(files);
    ASSERT_TRUE(append(100).ok());
    const auto outcome = append(100);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(writer_->flush().failure(), outcome.failure());
}

TEST_P(log_writer_test, full_disk_stops_at_a_segments_end_and_loses_nothing) {
    open_on(disk_);
    disk_.set_capacity(2 * segment_size);
    result<void> outcome;
    while (outcome.ok()) {
        outcome = append(20000);
        if (outcome)
            outcome = writer_->flush();
        ASSERT_LT(sample_.entries().size(), 20U);
    }
    EXPECT_EQ(outcome.failure().code, errc::unavailable);
    EXPECT_EQ(log_.segments->allocated_until(), log_position{2 * segment_size});
    const auto flushed = writer_->flushed_until();
    disk_.set_capacity(UINT64_MAX);
    disk_.crash();
    open_on(disk_);
    EXPECT_GE(log_.end, flushed);
    ASSERT_TRUE(append(20000).ok());
    EXPECT_TRUE(writer_->flush().ok());
}

TEST_P(log_writer_test, read_only_disk_fences) {
    open_on(disk_);
    disk_.set_read_only(true);
    const auto outcome = append(100);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.failure().code, errc::permission_denied);
    disk_.set_read_only(false);
    EXPECT_FALSE(append(100).ok());
}

// Two writes as the replica makes them: the second begins at a block of its own.
class overtaking_test : public log_writer_test {
  protected:
    void make_two() {
        open_on(disk_);
        first_ = sample_.make(2 * block_size - entry_header_size, {}, 1);
        second_at_ = sample_.next();
        second_ = sample_.make(block_size, {}, 2);
    }

    std::vector<shared_bytes> first_;
    std::vector<shared_bytes> second_;
    log_position second_at_;
};

TEST_P(overtaking_test, a_write_that_ends_first_counts_when_the_one_before_it_has_ended) {
    make_two();
    ASSERT_TRUE(writer_->write(second_, second_at_, 1).ok());
    ASSERT_TRUE(writer_->flush(1).ok());
    EXPECT_EQ(writer_->written_until(), log_position{0});
    EXPECT_EQ(writer_->flushed_until(), log_position{0});
    ASSERT_TRUE(writer_->write(first_, {}, 0).ok());
    EXPECT_EQ(writer_->written_until(), sample_.next());
    EXPECT_EQ(writer_->flushed_until(), log_position{0});
    ASSERT_TRUE(writer_->flush(0).ok());
    EXPECT_EQ(writer_->flushed_until(), sample_.next());
    ASSERT_TRUE(append(100).ok()); // into the second one's last block
    ASSERT_TRUE(writer_->flush().ok());
    const auto end = sample_.next();
    disk_.crash();
    open_on(disk_);
    EXPECT_EQ(log_.end, end);
}

TEST_P(overtaking_test, what_ended_behind_a_hole_is_cut_and_never_comes_back) {
    make_two();
    ASSERT_TRUE(writer_->write(second_, second_at_, 1).ok());
    ASSERT_TRUE(writer_->flush(1).ok());
    disk_.crash();
    open_on(disk_);
    ASSERT_EQ(log_.end, log_position{0});
    ASSERT_TRUE(log_.cut);
    // The log grows up to where the lost entry stood, and does not go on with it.
    const auto again = sample_.make(2 * block_size - entry_header_size, {}, 3);
    ASSERT_EQ(sample_.next(), second_at_);
    ASSERT_TRUE(writer_->write(again, {}).ok());
    ASSERT_TRUE(writer_->flush().ok());
    disk_.crash();
    open_on(disk_);
    EXPECT_EQ(log_.end, second_at_);
    EXPECT_FALSE(log_.cut);
}

// Both end, and the first begins, within a block.
TEST_P(overtaking_test, what_overtakes_may_end_anywhere) {
    open_on(disk_);
    ASSERT_TRUE(append(100).ok());
    ASSERT_TRUE(writer_->flush().ok());
    const auto first_at = sample_.next();
    const auto first = sample_.make(block_size - first_at.value() - entry_header_size, {}, 1);
    const auto second_at = sample_.next();
    ASSERT_EQ(second_at.value(), block_size);
    const auto second = sample_.make(100, {}, 2);
    ASSERT_TRUE(writer_->write(second, second_at, 1).ok());
    ASSERT_TRUE(writer_->write(first, first_at, 0).ok());
    ASSERT_TRUE(writer_->flush(1).ok());
    ASSERT_TRUE(writer_->flush(0).ok());
    ASSERT_TRUE(append(300).ok());
    ASSERT_TRUE(writer_->flush().ok());
    const auto end = sample_.next();
    EXPECT_EQ(writer_->flushed_until(), end);
    disk_.crash();
    open_on(disk_);
    EXPECT_EQ(log_.end, end);
}

TEST_P(overtaking_test, a_failure_in_one_lane_is_everyones) {
    make_two();
    disk_.fail_sync_after(0);
    auto failed = writer_->write(first_, {}, 0);
    if (failed)
        failed = writer_->flush(0);
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(writer_->write(second_, second_at_, 1).failure(), failed.failure());
    EXPECT_EQ(writer_->flush(1).failure(), failed.failure());
    EXPECT_EQ(writer_->flushed_until(), log_position{0});
}

TEST_P(overtaking_test, only_a_write_with_blocks_of_its_own_overtakes) {
    open_on(disk_);
    const auto first = sample_.make(100, {}, 1);
    const auto second_at = sample_.next();
    const auto second = sample_.make(100, {}, 2);
    const auto refused = writer_->write(second, second_at, 1);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.failure().code, errc::invalid_argument);
    ASSERT_TRUE(writer_->write(first, {}).ok());
    EXPECT_FALSE(writer_->write(first, {}, 1).ok()) << "what is written stays";
    EXPECT_TRUE(writer_->write(second, second_at, 1).ok());
}

INSTANTIATE_TEST_SUITE_P(modes, overtaking_test, ::testing::Values(write_mode::buffered, write_mode::direct),
                         [](const auto& mode) {
                             return mode.param == write_mode::direct ? "direct" : "buffered";
                         });
INSTANTIATE_TEST_SUITE_P(modes, log_writer_test, ::testing::Values(write_mode::buffered, write_mode::direct),
                         [](const auto& mode) {
                             return mode.param == write_mode::direct ? "direct" : "buffered";
                         });

} // namespace
} // namespace holdfast::storage
