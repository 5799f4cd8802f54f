#include "storage/truncation.hpp"

#include "storage/log_scanner.hpp"
#include "storage/log_store.hpp"
#include "tests/storage/sample_log.hpp"
#include "tests/storage/simulated_disk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

namespace holdfast::storage {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t segment_size = 65536;
const path store{"/store"};
const path directory{"/store/commitlog"};
const path intent = directory / "truncation";

using entry_list = std::vector<testing::sample_log::sealed>;

// The log ends at `at` now, and a leader of the next term goes on.
void continue_after_cut(testing::sample_log& sample, const segment_set& segments, log_position at) {
    recovered_log shorter;
    shorter.end = at;
    shorter.geometry = segments.geometry_at(at);
    for (const auto& one : sample.entries()) {
        shorter.last_term = std::max(shorter.last_term, one.header.term);
        if (one.header.position < at)
            shorter.last_checksum = one.header.checksum;
    }
    sample.continue_at(shorter);
}

class truncation_test : public ::testing::TestWithParam<write_mode> {
  protected:
    truncation_test() { options_.recovery.segments = {segment_size, GetParam()}; }

    void open() {
        store_.reset();
        auto opened = log_store::open(disk_, store, options_);
        ASSERT_TRUE(opened.ok()) << opened.failure();
        store_ = *std::move(opened);
        sample_.continue_at(store_->recovered());
    }

    result<void> append(std::size_t body_size) {
        auto& writer = store_->writer();
        const auto at = writer.written_until();
        auto done = writer.write(sample_.make(body_size, writer.flushed_until(), body_size), at);
        return done ? writer.flush() : done;
    }
    void append_all(const std::vector<std::size_t>& body_sizes) {
        for (const auto size : body_sizes) {
            const auto done = append(size);
            ASSERT_TRUE(done.ok()) << done.failure();
        }
    }

    result<void> truncate(log_position at) {
        auto done = store_->truncate(at);
        if (done)
            continue_after_cut(sample_, store_->segments(), at);
        return done;
    }

    void expect_zeros_from(log_position at) {
        for (const auto& one : store_->segments().list()) {
            const auto bytes = disk_.content(one->name());
            const auto from = std::min(std::max(at, one->first()), one->last()) - one->first();
            EXPECT_TRUE(std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.end(),
                                    [](std::byte byte) { return byte == std::byte{}; }));
        }
    }

    void expect_log() {
        std::size_t index = 0;
        log_scanner scanner{store_->segments(), {}, store_->writer().written_until()};
        for (;; ++index) {
            const auto found = scanner.next();
            ASSERT_TRUE(found.ok()) << found.failure();
            if (!found->has_value())
                break;
            ASSERT_LT(index, sample_.entries().size());
            EXPECT_TRUE(std::ranges::equal((*found)->bytes, sample_.entries()[index].bytes.view()));
        }
        EXPECT_EQ(index, sample_.entries().size());
    }

    simulated_disk disk_{{}};
    log_options options_;
    testing::sample_log sample_;
    std::unique_ptr<log_store> store_;
};

// Newest place first, so that one log serves for all of them.
TEST_P(truncation_test, the_log_goes_on_from_every_place_it_is_cut_at) {
    open();
    append_all({100, 5000, 4032, 60000, 3000, 64000, 10});
    const auto places = sample_.entries();
    ASSERT_GT(store_->segments().list().size(), 2U);
    for (auto place = places.rbegin(); place != places.rend(); ++place) {
        const auto at = place->header.position;
        ASSERT_TRUE(truncate(at).ok());
        EXPECT_EQ(store_->writer().written_until(), at);
        EXPECT_EQ(store_->writer().flushed_until(), at);
        expect_zeros_from(at);
        append_all({300, 7000});
        expect_log();
        disk_.crash();
        open();
        EXPECT_EQ(store_->recovered().end, sample_.next());
        EXPECT_FALSE(store_->recovered().cut.has_value());
        expect_log();
        ASSERT_TRUE(truncate(at).ok());
    }
    EXPECT_EQ(store_->writer().written_until(), log_position{});
}

TEST_P(truncation_test, a_cut_at_the_logs_end_makes_durable_what_was_written) {
    open();
    auto& writer = store_->writer();
    ASSERT_TRUE(writer.write(sample_.make(500, {}, 1), {}).ok());
    const auto end = sample_.next();
    ASSERT_TRUE(truncate(end).ok());
    EXPECT_EQ(writer.flushed_until(), end);
    disk_.crash();
    open();
    EXPECT_EQ(store_->recovered().end, end);
}

// Below the cut stands what was written and not flushed, above it what two lanes wrote.
TEST_P(truncation_test, unflushed_bytes_below_the_cut_are_kept_and_both_lanes_are_cut) {
    open();
    auto& writer = store_->writer();
    ASSERT_TRUE(writer.write(sample_.make(2 * block_size - entry_header_size, {}, 1), {}).ok());
    const auto at = sample_.next();
    ASSERT_TRUE(writer.write(sample_.make(block_size - entry_header_size, {}, 2), at, 0).ok());
    ASSERT_TRUE(writer.write(sample_.make(700, {}, 3), log_position{at + block_size}, 1).ok());
    ASSERT_TRUE(truncate(at).ok());
    expect_zeros_from(at);
    EXPECT_TRUE(writer.flush(1).ok());
    EXPECT_EQ(writer.flushed_until(), at);
    append_all({100});
    disk_.crash();
    open();
    EXPECT_EQ(store_->recovered().end, sample_.next());
    expect_log();
}

TEST_P(truncation_test, readers_find_nothing_of_what_was_cut) {
    open();
    append_all({100, 200, 60000, 300});
    const auto cut = sample_.entries();
    for (const auto& one : cut)
        ASSERT_TRUE(store_->reader().read_entry(one.header.position).ok());
    const auto at = cut[1].header.position;
    ASSERT_TRUE(truncate(at).ok());
    for (const auto& one : cut) {
        const auto read = store_->reader().read_entry(one.header.position);
        EXPECT_EQ(read.ok(), one.header.position < at);
        EXPECT_TRUE(read.ok() || read.failure().code == errc::not_found);
        const auto around = store_->reader().entry_containing(log_position{one.header.position + 90});
        EXPECT_TRUE(around.ok() || around.failure().code == errc::not_found);
        EXPECT_EQ(around.ok(), one.header.position < at);
    }
    EXPECT_EQ(store_->reader().segments()->size(), 1U);
}

// Whoever asks after a cut has returned must not get an entry of the term before it; nobody may see damage.
TEST_P(truncation_test, many_readers_beside_cuts) {
    open();
    store_->start_prewriting();
    append_all({100});
    const auto base = sample_.next();
    std::atomic<std::uint64_t> oldest_term{0};
    std::atomic<bool> done{false};
    std::atomic<std::uint64_t> wrong{0};
    std::vector<std::thread> readers;
    for (int reader = 0; reader < 2; ++reader)
        readers.emplace_back([&] {
            while (!done) {
                auto at = base;
                for (int i = 0; i < 8; ++i) {
                    const auto oldest = oldest_term.load();
                    const auto entry = store_->reader().read_entry(at);
                    if (!entry) {
                        // Another story's entries stand elsewhere, so a place may be none any more.
                        wrong += entry.failure().code != errc::not_found && i == 0 ? 1 : 0;
                        break;
                    }
                    const auto header = decode_entry(entry->view());
                    if (!header || header->position != at || header->term.value() < oldest) {
                        ++wrong;
                        break;
                    }
                    at = header->next();
                }
            }
        });
    for (std::size_t round = 0; round < 300; ++round) {
        append_all({300 + round, 700, 3000 + round});
        const auto done_cut = truncate(base);
        ASSERT_TRUE(done_cut.ok()) << done_cut.failure();
        oldest_term = sample_.entries().back().header.term.value() + round + 1;
    }
    done = true;
    for (auto& one : readers)
        one.join();
    EXPECT_EQ(wrong, 0U);
}

TEST_P(truncation_test, what_was_read_before_a_cut_is_not_put_into_the_cache_after_it) {
    entry_cache cache{1U << 20U};
    const auto bytes = shared_bytes::copy_of(std::vector<std::byte>(100));
    const auto seen = cache.erasures();
    cache.insert_read(log_position{64}, bytes, seen);
    EXPECT_TRUE(cache.find(log_position{64}));
    cache.erase_from(log_position{64});
    cache.insert_read(log_position{64}, bytes, seen);
    EXPECT_FALSE(cache.find(log_position{64}));
}

TEST_P(truncation_test, a_failure_fences_for_ever) {
    for (std::uint64_t syncs = 0; syncs < 2; ++syncs) {
        SCOPED_TRACE(syncs);
        open();
        append_all({100, 200});
        disk_.fail_sync_after(syncs);
        const auto outcome =
            store_->truncate(sample_.entries()[sample_.entries().size() - 2].header.position);
        ASSERT_FALSE(outcome.ok());
        EXPECT_EQ(append(100).failure(), outcome.failure());
        EXPECT_EQ(store_->writer().flush().failure(), outcome.failure());
        EXPECT_EQ(store_->writer().failure(), outcome.failure());
        disk_.crash();
    }
}

TEST_P(truncation_test, a_damaged_intent_is_refused_and_so_is_one_below_what_was_applied) {
    open();
    append_all({100, 200, 300});
    const auto at = sample_.entries()[1].header.position;
    const auto applied = sample_.entries()[1].header.end();
    store_.reset();
    disk_.cut_power_after(6); // the intent is on the disk, the zeros are not
    {
        auto segments = segment_set::open(disk_, directory, options_.recovery.segments);
        ASSERT_TRUE(segments.ok()) << segments.failure();
        EXPECT_FALSE(truncate_segments(**segments, {at, sample_.next()}).ok());
    }
    disk_.crash();
    const auto file = directory / segment_file_name({});
    const auto before = disk_.content(file);
    options_.recovery.durable_until = applied;
    auto opened = log_store::open(disk_, store, options_);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.failure().code, errc::corrupted);
    EXPECT_THAT(opened.failure().message, HasSubstr("was applied"));
    options_.recovery.durable_until = {};
    disk_.flip_bit(intent, 17, 3);
    opened = log_store::open(disk_, store, options_);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.failure().code, errc::corrupted);
    EXPECT_THAT(opened.failure().message, HasSubstr(intent.string()));
    EXPECT_EQ(disk_.content(file), before);
    disk_.flip_bit(intent, 17, 3);
    open();
    EXPECT_EQ(store_->recovered().end, at);
}

// A log that ends with a segment, and one more laid out behind it: what holds the last entry stays.
TEST_P(truncation_test, retention_leaves_the_last_entry) {
    open();
    append_all({segment_size - entry_header_size, 100});
    ASSERT_TRUE(truncate(log_position{segment_size}).ok());
    ASSERT_TRUE(store_->remove_before(log_position{segment_size}).ok());
    EXPECT_EQ(store_->segments().first(), log_position{});
    disk_.crash();
    open();
    EXPECT_EQ(store_->recovered().end, log_position{segment_size});
}

INSTANTIATE_TEST_SUITE_P(modes, truncation_test, ::testing::Values(write_mode::buffered, write_mode::direct),
                         [](const auto& mode) {
                             return mode.param == write_mode::direct ? "direct" : "buffered";
                         });

// One life of a follower, with the power cut after so many steps: an old leader's entries, the cut, a new
// leader's entries. After it the log must be the old one whole, or the old one up to the cut and some of the
// new entries: all that were flushed.
class cut_story {
  public:
    cut_story(std::uint64_t seed, const std::vector<std::size_t>& new_sizes)
        : random_(seed), new_sizes_(new_sizes), disk_({seed, pick(2) == 0 ? 512U : 4096U, UINT64_MAX}) {
        options_.segments = {16384, pick(2) == 0 ? write_mode::buffered : write_mode::direct};
    }

    // False when the power held to the end.
    bool run(std::uint64_t steps) {
        old_log();
        disk_.cut_power_after(steps);
        new_log();
        const bool interrupted = !disk_.has_power();
        recovered_.segments.reset();
        disk_.crash();
        recover_at_last();
        check();
        if (problem_.empty())
            check_going_on();
        return interrupted;
    }
    [[nodiscard]] const std::string& problem() const { return problem_; }

  private:
    std::uint64_t pick(std::uint64_t below) { return random_() % below; }

    void old_log() {
        auto log = recover(disk_, directory, options_);
        HOLDFAST_CHECK(log.ok());
        recovered_ = *std::move(log);
        sample_.continue_at(recovered_);
        writer_ = *log_writer::open(*recovered_.segments, recovered_.end);
        for (int i = 0; i < 14; ++i)
            HOLDFAST_CHECK(append(pick(i % 4 == 0 ? 9000 : 300)));
        old_ = sample_.entries();
        old_end_ = sample_.next();
        at_ = old_[pick(old_.size())].header.position;
    }

    bool append(std::size_t size) {
        const auto at = writer_->written_until();
        return writer_->write(sample_.make(size, writer_->flushed_until(), random_()), at).ok() &&
               writer_->flush().ok();
    }

    void new_log() {
        truncated_ = writer_->truncate(at_).ok();
        flushed_ = truncated_ ? at_ : log_position{};
        continue_after_cut(sample_, *recovered_.segments, at_);
        for (const auto size : new_sizes_) {
            if (!truncated_ || !append(size))
                break;
            flushed_ = writer_->flushed_until();
        }
    }

    // Recovery may lose the power, too.
    void recover_at_last() {
        for (std::uint64_t life = 0;; ++life) {
            if (life < 2)
                disk_.cut_power_after(pick(8));
            auto log = recover(disk_, directory, options_);
            const bool interrupted = !disk_.has_power();
            if (interrupted || life < 2) {
                if (log)
                    log->segments.reset();
                if (!log && !interrupted)
                    problem_ = "refused: " + log.failure().message;
                disk_.crash();
                continue;
            }
            if (log)
                recovered_ = *std::move(log);
            else
                problem_ = "refused: " + log.failure().message;
            return;
        }
    }

    void check() {
        if (!problem_.empty())
            return;
        std::vector<std::vector<std::byte>> found;
        log_scanner scanner{*recovered_.segments, {}, recovered_.end};
        for (auto next = scanner.next(); next.ok() && next->has_value(); next = scanner.next())
            found.emplace_back((*next)->bytes.begin(), (*next)->bytes.end());
        const auto is_prefix_of = [&](const entry_list& entries) {
            return found.size() <= entries.size() &&
                   std::equal(found.begin(), found.end(), entries.begin(),
                              [](const auto& one, const auto& other) {
                                  return std::ranges::equal(one, other.bytes.view());
                              });
        };
        const bool old_whole = recovered_.end == old_end_ && is_prefix_of(old_);
        const bool cut = recovered_.end >= std::max(at_, flushed_) && is_prefix_of(sample_.entries());
        if (!(cut || (old_whole && !truncated_)))
            problem_ = "the log ends at " + std::to_string(recovered_.end.value()) + " with " +
                       std::to_string(found.size()) + " entries; it was cut at " +
                       std::to_string(at_.value()) + ", " + (truncated_ ? "" : "not ") +
                       "to the end, and flushed until " + std::to_string(flushed_.value());
    }

    void check_going_on() {
        sample_.continue_at(recovered_);
        writer_ = *log_writer::open(*recovered_.segments, recovered_.end);
        for (const auto size : {100U, 5000U, 100U})
            HOLDFAST_CHECK(append(size));
        const auto end = sample_.next();
        recovered_.segments.reset();
        disk_.crash();
        const auto log = recover(disk_, directory, options_);
        if (!log || log->end != end)
            problem_ = "the log can't go on: " + (log ? "it lost entries" : log.failure().message);
    }

    std::mt19937_64 random_;
    const std::vector<std::size_t>& new_sizes_;
    simulated_disk disk_;
    recovery_options options_;
    recovered_log recovered_;
    std::unique_ptr<log_writer> writer_;
    testing::sample_log sample_;
    entry_list old_;
    log_position old_end_;
    log_position at_;
    log_position flushed_;
    bool truncated_ = false;
    std::string problem_;
};

TEST(truncation_power_cuts, leave_the_old_tail_whole_or_gone_and_never_a_mix) {
    const std::vector<std::vector<std::size_t>> stories{
        {}, {20}, {50, 50, 50}, {9000, 200, 12000, 9000, 9000}};
    for (std::uint64_t seed = 1; seed <= 60; ++seed)
        for (const auto& sizes : stories)
            for (std::uint64_t steps = 0;; ++steps) {
                cut_story story{seed, sizes};
                const bool interrupted = story.run(steps);
                ASSERT_EQ(story.problem(), "") << "seed " << seed << ", " << sizes.size()
                                               << " new entries, cut after " << steps << " steps";
                if (!interrupted)
                    break;
            }
}

} // namespace
} // namespace holdfast::storage
