#include "tests/storage/rotten_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace holdfast::storage {
namespace {

using ::testing::HasSubstr;

using testing::directory;
using testing::segment_size;

class log_mender_test : public testing::rotten_log {};

INSTANTIATE_TEST_SUITE_P(modes, log_mender_test, ::testing::Values(write_mode::direct, write_mode::buffered),
                         [](const auto& mode) {
                             return mode.param == write_mode::direct ? std::string{"direct"} : "buffered";
                         });

TEST_P(log_mender_test, a_sound_log_has_no_rot) {
    open();
    const auto place = rot();
    ASSERT_TRUE(place.ok()) << place.failure();
    EXPECT_FALSE(place->has_value());
}

TEST_P(log_mender_test, every_flipped_bit_of_an_entry_is_found_and_mended) {
    const auto victim = entry(middle());
    for (std::uint64_t at = 0; at < victim.length; at += at < entry_header_size ? 1 : 97) {
        flip(victim.position + at, at % 8);
        open();
        const auto place = rot();
        ASSERT_TRUE(place.ok() && *place) << at;
        EXPECT_EQ((*place)->first, victim.position);
        EXPECT_TRUE((*place)->has_end);
        EXPECT_THAT((*place)->reason, HasSubstr(file_of(victim.position).string()));
        ASSERT_NO_FATAL_FAILURE(mend_all(1));
    }
    expect_whole();
    EXPECT_TRUE(recover(*disk_, directory, options_).ok());
}

TEST_P(log_mender_test, what_was_written_says_only_what_is_true_of_this_disk) {
    const auto victim = entry(middle());
    flip(victim.position + 70);
    ASSERT_NO_FATAL_FAILURE(mend_all(1));
    const auto file = disk_->content(file_of(victim.position));
    const auto stored = decode_entry(byte_view{file}.subspan(victim.position.value() % segment_size));
    ASSERT_TRUE(stored.ok());
    EXPECT_EQ(stored->flushed, victim.position) << "what is below was flushed, or this were no rot";
}

TEST_P(log_mender_test, a_place_over_the_end_of_a_segment) {
    const auto first = entry(index_at(log_position{2 * segment_size - 20'000}));
    const auto last = entry(index_at(log_position{2 * segment_size + 15'000}));
    spoil(first.position, last.end());
    ASSERT_NO_FATAL_FAILURE(mend_all(1));
    expect_whole();
}

TEST_P(log_mender_test, the_first_entry_of_the_log_and_of_a_log_that_lost_its_beginning) {
    flip(log_position{100});
    ASSERT_NO_FATAL_FAILURE(mend_all(1));
    expect_whole();
    flip(log_position{segment_size + 100});
    disk_->erase(file_of({}));
    ASSERT_NO_FATAL_FAILURE(mend_all(1));
    EXPECT_EQ(disk_->content(file_of(log_position{2 * segment_size})), whole_[2]);
    EXPECT_TRUE(recover(*disk_, directory, options_).ok());
}

TEST_P(log_mender_test, several_places_are_mended_one_after_the_other) {
    for (const auto position : {5'000U, 40'000U, 70'000U, 131'000U, 160'000U})
        flip(entry(index_at(log_position{position})).position + 65);
    ASSERT_NO_FATAL_FAILURE(mend_all(5));
    expect_whole();
}

TEST_P(log_mender_test, a_long_place_is_fetched_twice_and_never_held_in_whole) {
    const auto first = entry(index_at(log_position{10'000}));
    spoil(first.position, entry(index_at(log_position{3 * segment_size})).end());
    open();
    const auto place = rot();
    ASSERT_TRUE(place.ok() && *place);
    log_mender mender{*segments_, **place, segments_->allocated_until(), 20'000};
    const auto done = mend(mender);
    ASSERT_EQ(done.refuted, "");
    ASSERT_GT(done.written.size(), 5U);
    for (std::size_t i = 1; i < done.written.size(); ++i)
        EXPECT_EQ(done.written[i].last, done.written[i - 1].first) << "from the last to the first";
    EXPECT_EQ(done.written.back().first, first.position);
    expect_whole();
}

TEST_P(log_mender_test, a_torn_tail_is_not_rot) {
    const auto last = sample_.entries().back().header;
    flip(last.position + 70);
    open();
    auto place = rot();
    ASSERT_TRUE(place.ok()) << place.failure();
    EXPECT_FALSE(place->has_value());
    options_.durable_until = last.next(); // unless it was applied: then only the others can know
    place = rot();
    ASSERT_TRUE(place.ok() && *place);
    EXPECT_EQ((*place)->first, last.position);
    EXPECT_FALSE((*place)->has_end);
}

// --- what others say

class foreign_bytes_test : public testing::rotten_log {
  protected:
    void SetUp() override {
        victim_ = middle();
        flip(entry(victim_).position + 70);
        open();
        auto place = rot();
        ASSERT_TRUE(place.ok() && *place);
        place_ = **place;
        rotten_ = contents();
    }
    void expect_refuted(const std::vector<std::byte>& bytes, const std::string& words) {
        log_mender mender{*segments_, place_, segments_->allocated_until()};
        const auto verdict = mender.take(bytes);
        ASSERT_TRUE(verdict.ok()) << verdict.failure();
        EXPECT_THAT(verdict->refuted, HasSubstr(words));
        EXPECT_FALSE(verdict->is_mended);
        EXPECT_EQ(contents(), rotten_) << "nothing may be changed before it is proved";
        mender.start_again(); // and another replica still can
        EXPECT_EQ(mend(mender).refuted, "");
        expect_whole();
        flip(entry(victim_).position + 70);
        rotten_ = contents();
    }
    // A whole entry for the place, sealed by a liar.
    std::vector<std::byte> forged(const std::function<void(entry_header&)>& change, std::size_t size = 0) {
        auto header = entry(victim_);
        std::vector<std::byte> bytes(size == 0 ? header.length : size);
        header.flushed = {};
        change(header);
        seal_entry(header, bytes);
        const auto rest = bytes_of({entry(victim_ + 1).position, 0}, 40'000);
        bytes.insert(bytes.end(), rest.begin(), rest.end());
        return bytes;
    }

    std::size_t victim_ = 0;
    rotten_place place_;
    std::vector<std::vector<std::byte>> rotten_;
};

INSTANTIATE_TEST_SUITE_P(modes, foreign_bytes_test, ::testing::Values(write_mode::direct),
                         [](const auto&) { return std::string{"direct"}; });

TEST_P(foreign_bytes_test, no_entry) {
    expect_refuted(std::vector<std::byte>(4096, std::byte{0x5a}), "no magic number");
}

TEST_P(foreign_bytes_test, the_same_rot) {
    auto bytes = bytes_of({entry(victim_).position, 0}, 40'000);
    bytes[70] ^= std::byte{1};
    expect_refuted(bytes, "checksum");
}

TEST_P(foreign_bytes_test, an_entry_of_another_place) {
    expect_refuted(bytes_of({entry(victim_ + 1).position, 0}, 40'000), "another position");
}

TEST_P(foreign_bytes_test, a_valid_entry_of_another_story_before) {
    expect_refuted(forged([](entry_header& header) { header.previous_checksum ^= 1U; }),
                   "does not follow the one before");
}

TEST_P(foreign_bytes_test, a_valid_entry_of_another_story_behind) {
    // It follows what we have, but what we have behind does not follow it: the next one is refuted.
    expect_refuted(forged([](entry_header& header) { header.timestamp = timestamp_ms{1}; }),
                   "does not follow the one before");
}

TEST_P(foreign_bytes_test, an_entry_of_an_older_term) {
    expect_refuted(forged([](entry_header& header) { header.term = term_number{0}; }), "older term");
}

TEST_P(foreign_bytes_test, an_entry_longer_than_the_file) {
    expect_refuted(forged([](entry_header&) {}, segment_size), "no room");
}

TEST_P(foreign_bytes_test, entries_without_end) {
    // Each follows the one before, to the end of the files, and none of ours follows.
    std::vector<std::byte> bytes;
    auto previous = place_.before->checksum;
    log_position at = place_.first;
    while (at < segments_->allocated_until()) {
        entry_header header;
        header.position = at;
        header.term = place_.before->term;
        header.previous_checksum = previous;
        std::vector<std::byte> one(std::min<std::uint64_t>(4096, segments_->find(at)->last() - at));
        seal_entry(header, one);
        previous = header.checksum;
        at = header.next();
        bytes.insert(bytes.end(), one.begin(), one.end());
    }
    expect_refuted(bytes, "no entry of our own that follows");
}

TEST_P(foreign_bytes_test, a_second_story_behind_the_marks_of_the_first) {
    spoil(entry(victim_).position, entry(victim_ + 12).end());
    log_mender mender{*segments_, place_, segments_->allocated_until(), 20'000};
    std::optional<log_mender::range> written;
    while (!written) {
        const auto verdict = mender.take(bytes_of(mender.next()));
        ASSERT_TRUE(verdict.ok() && verdict->refuted.empty());
        written = verdict->written;
    }
    const auto before = contents();
    const auto wanted = mender.next();
    ASSERT_EQ(wanted.offset, 0U);
    entry_header header;
    header.position = wanted.entry;
    header.term = place_.before->term;
    header.previous_checksum = entry(index_at(wanted.entry) - 1).checksum;
    std::vector<std::byte> one(written->first - wanted.entry);
    seal_entry(header, one);
    const auto verdict = mender.take(one);
    ASSERT_TRUE(verdict.ok());
    EXPECT_THAT(verdict->refuted, HasSubstr("something else than before"));
    EXPECT_EQ(contents(), before);
    mender.start_again();
    EXPECT_EQ(mend(mender).refuted, "");
    expect_whole();
}

TEST_P(foreign_bytes_test, nothing_is_written_at_the_limit) {
    const log_position limit{align_down(entry(victim_).next().value(), block_size)};
    log_mender mender{*segments_, place_, limit};
    const auto verdict = mender.take(bytes_of(mender.next(), 40'000));
    ASSERT_TRUE(verdict.ok());
    EXPECT_THAT(verdict->refuted, HasSubstr("the end of what may be changed"));
    EXPECT_EQ(contents(), rotten_);
}

TEST_P(foreign_bytes_test, a_failed_write_or_flush_is_an_error) {
    disk_->fail_sync_after(0);
    log_mender mender{*segments_, place_, segments_->allocated_until()};
    const auto done = mend(mender);
    ASSERT_TRUE(done.failure.has_value());
    EXPECT_EQ(done.failure->code, errc::io_failed);
}

// --- the power goes at every moment of it

TEST_P(log_mender_test, a_power_cut_at_every_write_leaves_rot_that_can_be_mended) {
    bool was_interrupted = true;
    std::size_t left_rotten = 0;
    for (std::uint64_t operations = 0; was_interrupted; ++operations) {
        ASSERT_LT(operations, 200U);
        ASSERT_NO_FATAL_FAILURE(new_disk(operations + 1));
        spoil(entry(index_at(log_position{50'000})).position, entry(index_at(log_position{90'000})).end());
        open();
        const auto place = rot();
        ASSERT_TRUE(place.ok() && *place);
        disk_->cut_power_after(operations);
        {
            log_mender mender{*segments_, **place, segments_->allocated_until(), 12'000};
            was_interrupted = mend(mender).failure.has_value();
        }
        segments_.reset();
        disk_->crash();
        open();
        const auto left = rot();
        ASSERT_TRUE(left.ok()) << left.failure();
        // The last write may have been done when the power went.
        ASSERT_TRUE(was_interrupted || !left->has_value()) << operations;
        if (*left) {
            ++left_rotten;
            EXPECT_GE((*left)->first, (*place)->first);
            EXPECT_FALSE(recover(*disk_, directory, options_).ok()) << "it is refused, never cut";
            EXPECT_GT(mend_what_there_is(), 0U);
        }
        expect_whole();
        const auto log = recover(*disk_, directory, options_);
        ASSERT_TRUE(log.ok()) << log.failure();
        EXPECT_EQ(log->end, sample_.next());
        EXPECT_FALSE(log->cut.has_value());
    }
    EXPECT_GT(left_rotten, 3U);
}

} // namespace
} // namespace holdfast::storage
