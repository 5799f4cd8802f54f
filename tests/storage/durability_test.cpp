// The property that everything else hangs on, over thousands of seeds: whatever was reported flushed before a
// crash is there after it, nothing that was never written is, and the log recovered so can be appended to and
// crash again.
#include "storage/fault_file_system.hpp"
#include "storage/log_scanner.hpp"
#include "storage/log_writer.hpp"
#include "tests/storage/sample_log.hpp"
#include "tests/storage/simulated_disk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace holdfast::storage {
namespace {

const path directory{"/store/commitlog"};

class crash_story {
  public:
    crash_story(std::uint64_t seed, bool ignore_syncs)
        : random_(seed),
          disk_({seed, pick(2) == 0 ? 512U : 4096U, UINT64_MAX}),
          canary_(disk_, {0, 0, ignore_syncs, {}}) {
        options_.segments.segment_size = (1 + pick(4)) * 16384;
        options_.segments.writes = pick(2) == 0 ? write_mode::buffered : write_mode::direct;
    }

    // What went wrong, if anything did.
    std::string run() {
        const auto lives = 2 + pick(3);
        for (std::uint64_t life = 0; life < lives && problem_.empty(); ++life) {
            begin_life();
            if (problem_.empty())
                append_until_the_end();
        }
        if (problem_.empty())
            begin_life();
        return problem_;
    }

  private:
    std::uint64_t pick(std::uint64_t below) { return random_() % below; }

    void fail(const std::string& what) {
        if (problem_.empty())
            problem_ = what;
    }

    void begin_life() {
        const auto& known = sample_.entries();
        const auto applied = std::count_if(known.begin(), known.end(),
                                           [&](const auto& one) { return one.header.end() <= flushed_; });
        options_.scan_from = {};
        options_.durable_until = {};
        if (applied > 0 && pick(2) == 0) {
            const auto& last_applied = known[pick(static_cast<std::uint64_t>(applied))].header;
            options_.scan_from = last_applied.position;
            options_.durable_until = last_applied.end();
        }
        recovered_.segments.reset();
        // Recovery itself may be cut short, and must then find its way the next time.
        if (pick(3) == 0)
            disk_.cut_power_after(pick(12));
        auto recovered = recover(canary_, directory, options_);
        while (!recovered && recovered.failure().code == errc::io_failed) {
            disk_.crash();
            recovered = recover(canary_, directory, options_);
        }
        if (!recovered)
            return fail("recovery refused: " + recovered.failure().message);
        recovered_ = *std::move(recovered);
        if (!disk_.has_power())
            return begin_life();
        check_content();
        check_nothing_behind();
        sample_.continue_at(recovered_);
    }

    void check_content() {
        if (recovered_.end < flushed_)
            return fail("flushed until " + std::to_string(flushed_.value()) + ", recovered until " +
                        std::to_string(recovered_.end.value()));
        std::size_t index = 0;
        log_scanner scanner{*recovered_.segments, {}, recovered_.end};
        for (;; ++index) {
            const auto found = scanner.next();
            if (!found)
                return fail("the recovered log is damaged: " + found.failure().message);
            if (!found->has_value())
                break;
            if (index >= sample_.entries().size() ||
                !std::ranges::equal((*found)->bytes, sample_.entries()[index].bytes.view()))
                return fail("an entry that was never written at " +
                            std::to_string((*found)->header.position.value()));
        }
        if (scanner.position() != recovered_.end)
            fail("the recovered log ends elsewhere than it says");
        if (index > 0 && sample_.entries()[index - 1].header.checksum != recovered_.last_checksum)
            fail("wrong last checksum");
        if (index > 0 && sample_.entries()[index - 1].header.position != recovered_.last_entry)
            fail("wrong last entry");
    }

    void check_nothing_behind() {
        for (const auto& one : recovered_.segments->list()) {
            const auto bytes = disk_.content(one->name());
            const auto from = recovered_.end <= one->first() ? 0 : recovered_.end - one->first();
            if (from < bytes.size() &&
                std::any_of(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.end(),
                            [](std::byte byte) { return byte != std::byte{}; }))
                return fail("bytes left behind the end in " + one->name().string());
        }
        flushed_ = recovered_.end;
    }

    void append_until_the_end() {
        auto writer = log_writer::open(*recovered_.segments, recovered_.end);
        if (!writer)
            return fail("the writer does not open: " + writer.failure().message);
        switch (pick(4)) {
        case 0:
            break;
        case 1:
            disk_.fail_sync_after(pick(20));
            break;
        default:
            disk_.cut_power_after(pick(60));
        }
        const auto batches = 1 + pick(25);
        bool alive = true;
        for (std::uint64_t batch = 0; batch < batches && alive; ++batch)
            alive = append_batch(**writer);
        if (!alive && (*writer)->failure().has_value())
            check_fenced(**writer);
        // Sometimes only the process ends: what was written and not flushed is still to be seen.
        if (!disk_.has_power() || pick(4) != 0)
            disk_.crash();
    }

    bool append_batch(log_writer& writer) {
        std::vector<shared_bytes> batch;
        const auto first = writer.written_until();
        const auto count = 1 + pick(6);
        const auto largest = pick(3) == 0 ? 9000U : 700U;
        for (std::uint64_t i = 0; i < count; ++i)
            for (auto& entry : sample_.make(pick(largest), flushed_, random_()))
                batch.push_back(std::move(entry));
        if (pick(3) == 0)
            if (const auto current = recovered_.segments->find(first))
                (void)current->prewrite(4096 * (1 + pick(4)), first + 65536);
        if (!writer.write(batch, first))
            return false;
        if (pick(5) == 0)
            return true; // flushed with the next one
        if (!writer.flush())
            return false;
        flushed_ = writer.flushed_until();
        return true;
    }

    void check_fenced(log_writer& writer) {
        const auto reason = *writer.failure();
        const auto entries = sample_.make(10, flushed_, 1);
        const auto written = writer.write(entries, writer.written_until());
        const auto flushed = writer.flush();
        if (written || flushed || written.failure() != reason || flushed.failure() != reason)
            fail("a writer that failed once went on");
        if (writer.flushed_until() != flushed_)
            fail("a failed flush moved the mark");
    }

    std::mt19937_64 random_;
    simulated_disk disk_;
    fault_file_system canary_;
    recovery_options options_;
    recovered_log recovered_;
    testing::sample_log sample_;
    log_position flushed_;
    std::string problem_;
};

TEST(durability, what_was_flushed_survives_every_crash) {
    for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
        const auto problem = crash_story{seed, false}.run();
        ASSERT_EQ(problem, "") << "seed " << seed;
    }
}

// The canary: without the fsync the same stories must not end well.
TEST(durability, a_disk_that_ignores_syncs_is_caught) {
    int caught = 0;
    for (std::uint64_t seed = 1; seed <= 50; ++seed)
        caught += crash_story{seed, true}.run().empty() ? 0 : 1;
    EXPECT_GT(caught, 25);
}

} // namespace
} // namespace holdfast::storage
