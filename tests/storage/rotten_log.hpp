// A log of some segments whose records rot, and another replica that has them whole.
#pragma once

#include "storage/log_mender.hpp"
#include "storage/log_writer.hpp"
#include "storage/recovery.hpp"
#include "tests/storage/sample_log.hpp"
#include "tests/storage/simulated_disk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace holdfast::storage::testing {

inline const path directory{"/store/commitlog"};
inline constexpr std::uint64_t segment_size = 65536;

// `sample_` is what the other replica has.
class rotten_log : public ::testing::TestWithParam<write_mode> {
  protected:
    rotten_log() {
        options_.segments = {segment_size, GetParam()};
        new_disk(1);
    }

    // Entries of 100 to 9,000 bytes, one to three in each flush; each flush knows the one before.
    void new_disk(std::uint64_t seed) {
        disk_ = std::make_unique<simulated_disk>(simulated_disk_options{seed});
        sample_ = {};
        std::mt19937_64 random{7};
        auto log = recover(*disk_, directory, options_);
        ASSERT_TRUE(log.ok()) << log.failure();
        sample_.continue_at(*log);
        auto writer = log_writer::open(*log->segments, log->end);
        ASSERT_TRUE(writer.ok());
        while (sample_.next() < log_position{3 * segment_size + segment_size / 2}) {
            const auto at = sample_.next();
            std::vector<shared_bytes> batch;
            for (std::uint64_t left = 1 + random() % 3; left > 0; --left)
                for (auto& one : sample_.make(100 + random() % 9'000, at, random()))
                    batch.push_back(std::move(one));
            ASSERT_TRUE((*writer)->write(batch, at).ok());
            ASSERT_TRUE((*writer)->flush().ok());
        }
        whole_ = contents();
    }

    [[nodiscard]] std::vector<std::vector<std::byte>> contents() const {
        std::vector<std::vector<std::byte>> all;
        for (std::uint64_t first = 0; first < 4; ++first)
            all.push_back(disk_->content(file_of(log_position{first * segment_size})));
        return all;
    }
    // But for the flush marks: those of the entries in the place are its beginning.
    void expect_whole() const {
        const auto now = contents();
        for (const auto& one : sample_.entries()) {
            const auto& file = now.at(one.header.position.value() / segment_size);
            const auto offset = one.header.position.value() % segment_size;
            const auto stored = decode_entry(byte_view{file}.subspan(offset));
            ASSERT_TRUE(stored.ok()) << one.header.position << ": " << stored.failure();
            auto expected = one.header;
            EXPECT_LE(stored->flushed, stored->position);
            expected.flushed = stored->flushed;
            EXPECT_EQ(*stored, expected);
        }
        // Nothing between the entries, or of others, has changed.
        std::size_t different = 0;
        for (std::size_t file = 0; file < now.size(); ++file)
            for (std::size_t i = 0; i < now[file].size(); ++i)
                different += now[file][i] != whole_[file][i] ? 1U : 0U;
        EXPECT_LE(different, 8 * sample_.entries().size());
    }

    static path file_of(log_position position) {
        return directory / segment_file_name(log_position{align_down(position.value(), segment_size)});
    }
    void flip(log_position position, unsigned bit = 3) {
        disk_->flip_bit(file_of(position), position.value() % segment_size, bit);
    }
    void spoil(log_position first, log_position last) {
        for (const auto& one : sample_.entries())
            if (one.header.position >= first && one.header.position < last)
                for (auto at = one.header.position; at < one.header.end(); at += 1)
                    flip(at, at.value() * 5 % 8);
    }
    // An entry, no filler, in the middle of the second segment.
    [[nodiscard]] std::size_t middle() const { return index_at(log_position{3 * segment_size / 2}); }
    [[nodiscard]] std::size_t index_at(log_position position) const {
        std::size_t index = 0;
        while (entry(index).position < position || entry(index).is_filler())
            ++index;
        return index;
    }
    [[nodiscard]] const entry_header& entry(std::size_t index) const {
        return sample_.entries().at(index).header;
    }

    void open() {
        segments_.reset();
        auto opened = segment_set::open(*disk_, directory, options_.segments);
        ASSERT_TRUE(opened.ok()) << opened.failure();
        segments_ = *std::move(opened);
    }
    [[nodiscard]] result<std::optional<rotten_place>> rot(log_position from = {}) const {
        return find_rot(*segments_, {from, segments_->allocated_until(), options_.durable_until});
    }

    // What the other replica answers.
    [[nodiscard]] std::vector<std::byte> bytes_of(const log_mender::wanted& wanted,
                                                  std::size_t most = 5'000) const {
        std::vector<std::byte> bytes;
        std::uint64_t skipped = wanted.offset;
        for (const auto& one : sample_.entries()) {
            if (one.header.position < wanted.entry || bytes.size() >= most)
                continue;
            const auto part = one.bytes.view().subspan(std::exchange(skipped, 0));
            bytes.insert(bytes.end(), part.begin(), part.end());
        }
        bytes.resize(std::min(bytes.size(), most));
        return bytes;
    }

    struct mended {
        std::vector<log_mender::range> written;
        std::size_t asked = 0;
        std::string refuted;
        std::optional<error> failure;
    };
    [[nodiscard]] mended mend(log_mender& mender) const {
        mended outcome;
        for (; outcome.asked < 10'000; ++outcome.asked) {
            const auto verdict = mender.take(bytes_of(mender.next()));
            if (!verdict) {
                outcome.failure = verdict.failure();
                return outcome;
            }
            outcome.refuted = verdict->refuted;
            if (verdict->written)
                outcome.written.push_back(*verdict->written);
            if (verdict->is_mended || !verdict->refuted.empty())
                return outcome;
        }
        outcome.refuted = "it does not end";
        return outcome;
    }
    // Every place, one after the other; there are so many.
    void mend_all(std::size_t places) { EXPECT_EQ(mend_what_there_is(), places); }
    std::size_t mend_what_there_is() {
        std::size_t mended_places = 0;
        mend_into(mended_places);
        return mended_places;
    }
    void mend_into(std::size_t& mended_places) {
        open();
        for (auto from = segments_->first(); mended_places < sample_.entries().size();) {
            const auto place = rot(from);
            ASSERT_TRUE(place.ok()) << place.failure();
            if (!*place)
                break;
            ASSERT_TRUE((*place)->has_end);
            log_mender mender{*segments_, **place, segments_->allocated_until()};
            const auto done = mend(mender);
            ASSERT_FALSE(done.failure) << *done.failure;
            ASSERT_EQ(done.refuted, "");
            ++mended_places;
            from = (*place)->before ? (*place)->before->position : (*place)->first;
        }
    }

    std::unique_ptr<simulated_disk> disk_;
    recovery_options options_;
    sample_log sample_;
    std::vector<std::vector<std::byte>> whole_;
    std::unique_ptr<segment_set> segments_;
};

} // namespace holdfast::storage::testing
