// kill -9 under load, again and again over the same data, and after each restart everything that was ever
// promised is looked for (ledger.hpp).
//
//   HOLDFAST_CRASH_SECONDS  how long the hunt lasts (20)
//   HOLDFAST_CRASH_SEED     the first story's seed; printed
#include "tests/crash/load.hpp"
#include "tests/support/broker_process.hpp"
#include "tests/support/number_from.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>

namespace holdfast::crash {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using testing::broker_process;

struct totals {
    std::uint64_t rounds = 0;
    std::uint64_t starts_killed = 0;
    std::uint64_t derived_lost = 0;
    std::uint64_t garbage = 0;
    std::uint64_t answered = 0;
    std::uint64_t kept = 0;
    std::uint64_t commits = 0;
};

std::string words_of_a_failed_start(const broker_process& broker) {
    return "it does not start, exit status " + std::to_string(broker.exit_status()) + ":\n" + broker.log();
}

// One data directory and some rounds over it.
class crash_story {
  public:
    crash_story(std::uint64_t seed, totals& sums)
        : random_(seed), sums_(sums), book_({"orders", "audit"}, 4) {
        const std::vector<std::string> segments{"256K", "1M", "4M"};
        settings_ = {
            "--mappedFileSizeCommitLog=" + segments[pick(3)],
            "--maxMessageSize=64K",
            "--checkpointInterval=" + std::to_string(100 + pick(400)),
            "--checkpointBytes=1M",
            "--entryCacheBytes=1M",
            "--flushConsumerOffsetInterval=10",
            "--maxTransferBytesOnMessageInMemory=4M",
            // A killed process leaves its pages to the kernel, so here ASYNC_FLUSH has to keep its word too.
            pick(4) == 0 ? "--flushDiskType=ASYNC_FLUSH" : "--flushDiskType=SYNC_FLUSH",
            "--logLevel=info",
        };
    }

    std::string run(std::uint64_t rounds, clock::time_point deadline) {
        std::string problem;
        for (std::uint64_t round = 0; round < rounds && problem.empty(); ++round) {
            if (round > 0 && clock::now() > deadline)
                break;
            problem = one_round(round);
        }
        if (problem.empty())
            problem = look_once_more();
        sums_.answered += book_.messages_answered();
        sums_.kept += book_.messages_kept();
        sums_.commits += book_.commits_answered();
        return problem;
    }

  private:
    std::uint64_t pick(std::uint64_t below) { return random_() % below; }

    testing::broker_options broker(std::chrono::milliseconds start_timeout = 20s) {
        return {.data = data_.path(), .settings = settings_, .start_timeout = start_timeout};
    }

    std::string one_round(std::uint64_t round) {
        if (round > 0)
            harm();
        if (pick(4) == 0) {
            // Killed while it recovers, or just after.
            broker_process hurried{broker(std::chrono::milliseconds{pick(60)})};
            hurried.kill();
            ++sums_.starts_killed;
        }
        broker_process running{broker()};
        if (!running.ready())
            return words_of_a_failed_start(running);
        auto problem =
            round == 0 ? make_topics(running.broker_port(), book_) : book_.verify(running.broker_port());
        if (!problem.empty())
            return problem + "\nlog of the broker:\n" + running.log();
        load_options options;
        options.seed = random_();
        options.broker_port = running.broker_port();
        options.name_servers = running.name_servers();
        options.producers = 1 + static_cast<std::uint32_t>(pick(3));
        options.in_flight = 1 + pick(400);
        options.largest_body = 50 + pick(1500);
        load clients{book_, options};
        std::this_thread::sleep_for(std::chrono::milliseconds{50 + pick(500)});
        running.kill();
        clients.stop();
        ++sums_.rounds;
        return {};
    }

    std::string look_once_more() {
        broker_process last{broker()};
        if (!last.ready())
            return words_of_a_failed_start(last);
        auto problem = book_.verify(last.broker_port());
        return problem.empty() ? problem : problem + "\nlog of the broker:\n" + last.log();
    }

    // What may happen to the files of a broker that is down without its fault.
    void harm() {
        switch (pick(5)) {
        case 0:
            std::filesystem::remove_all(data_.path() / "derived");
            if (pick(2) == 0)
                std::filesystem::remove_all(data_.path() / "keys");
            ++sums_.derived_lost;
            break;
        case 1:
            leave_garbage();
            ++sums_.garbage;
            break;
        default:
            break;
        }
    }

    // Bytes behind the log's end, as a write that was never answered leaves them: noise, or a piece of what
    // once stood elsewhere. One block of 64 stays free, because an entry may end with zeros.
    void leave_garbage() {
        std::vector<std::filesystem::path> files;
        for (const auto& one : std::filesystem::directory_iterator{data_.path() / "commitlog"})
            files.push_back(one.path());
        std::sort(files.begin(), files.end());
        while (!files.empty()) {
            std::fstream file{files.back(), std::ios::in | std::ios::out | std::ios::binary};
            const std::string bytes{std::istreambuf_iterator<char>{file}, {}};
            file.clear();
            const auto last = bytes.find_last_not_of('\0');
            if (last == std::string::npos) {
                files.pop_back();
                continue;
            }
            const auto at = (last / 64 + 2) * 64;
            if (at >= bytes.size())
                return;
            auto piece = bytes.substr(0, std::min<std::size_t>(1 + pick(6000), bytes.size() - at));
            if (pick(2) == 0)
                std::generate(piece.begin(), piece.end(), [&] { return static_cast<char>(random_()); });
            file.seekp(static_cast<std::streamoff>(at));
            file.write(piece.data(), static_cast<std::streamsize>(piece.size()));
            return;
        }
    }

    std::mt19937_64 random_;
    totals& sums_;
    testing::temporary_directory data_;
    std::vector<std::string> settings_;
    ledger book_;
};

TEST(crash, nothing_answered_is_lost_by_kill_9) {
    const auto deadline =
        clock::now() + std::chrono::seconds{testing::number_from("HOLDFAST_CRASH_SECONDS", 20)};
    auto seed = testing::number_from("HOLDFAST_CRASH_SEED", std::random_device{}());
    totals sums;
    std::uint64_t stories = 0;
    do {
        std::printf("story with HOLDFAST_CRASH_SEED=%llu\n", static_cast<unsigned long long>(seed));
        std::fflush(stdout);
        const auto problem = crash_story{seed, sums}.run(8, deadline);
        ASSERT_EQ(problem, "") << "HOLDFAST_CRASH_SEED=" << seed;
        ++seed;
        ++stories;
    } while (clock::now() < deadline);
    std::printf(
        "%llu stories, %llu rounds of kill -9 (and %llu starts killed, %llu times the derived store "
        "lost, %llu times garbage behind the log): %llu messages answered OK, %llu kept, %llu commits\n",
        static_cast<unsigned long long>(stories), static_cast<unsigned long long>(sums.rounds),
        static_cast<unsigned long long>(sums.starts_killed),
        static_cast<unsigned long long>(sums.derived_lost), static_cast<unsigned long long>(sums.garbage),
        static_cast<unsigned long long>(sums.answered), static_cast<unsigned long long>(sums.kept),
        static_cast<unsigned long long>(sums.commits));
    EXPECT_GT(sums.answered, 0U);
    EXPECT_GT(sums.commits, 0U);
}

} // namespace
} // namespace holdfast::crash
