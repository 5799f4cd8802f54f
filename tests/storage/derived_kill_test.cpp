// A checkpoint, or a bulk of keys, is whole or absent, whatever moment the process is killed at.
//
// A child writes and says in shared memory how far it has come; the parent kills it at a random point and a
// second child opens what is left and compares. The parent itself never opens a store: RocksDB's threads do
// not survive a fork, so each child must start without any.
#include "storage/derived_store.hpp"
#include "storage/key_index.hpp"

#include "tests/storage/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <limits>
#include <map>
#include <random>

namespace holdfast::storage {
namespace {

constexpr std::string_view log_id = "log-under-fire";
constexpr int rounds = 20;

struct progress {
    std::atomic<std::uint64_t> written{0}; // steps of this round's child
    std::atomic<std::uint64_t> durable{0}; // the position the store called durable, ever
};

class shared_progress {
  public:
    shared_progress() {
        auto* memory =
            ::mmap(nullptr, sizeof(progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        HOLDFAST_CHECK(memory != MAP_FAILED);
        progress_ = new (memory) progress;
    }
    shared_progress(const shared_progress&) = delete;
    shared_progress& operator=(const shared_progress&) = delete;
    ~shared_progress() { ::munmap(progress_, sizeof(progress)); }
    progress* operator->() { return progress_; }

  private:
    progress* progress_;
};

// Runs `body` in a child that exits with its result.
pid_t start_child(const std::function<int()>& body) {
    const auto child = ::fork();
    HOLDFAST_CHECK(child >= 0);
    if (child == 0)
        ::_exit(body());
    return child;
}

int wait_for(pid_t child) {
    int status = 0;
    HOLDFAST_CHECK(::waitpid(child, &status, 0) == child);
    return status;
}

// Kills the child once it has made `steps` steps; fails if it ends on its own.
void kill_after(pid_t child, shared_progress& shared, std::uint64_t steps) {
    int status = 0;
    while (shared->written.load() < steps) {
        ASSERT_EQ(::waitpid(child, &status, WNOHANG), 0) << "the writer ended on its own, status " << status;
        ::sched_yield();
    }
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    status = wait_for(child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

void run_rounds(std::uint64_t seed, std::uint64_t steps_max, shared_progress& shared,
                const std::function<int()>& write, const std::function<int()>& verify) {
    std::mt19937_64 random{seed};
    for (int round = 0; round < rounds; ++round) {
        SCOPED_TRACE(::testing::Message() << "round " << round << " of seed " << seed);
        shared->written = 0;
        const auto steps = 1 + random() % steps_max;
        ASSERT_NO_FATAL_FAILURE(kill_after(start_child(write), shared, steps));
        const auto status = wait_for(start_child(verify));
        ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status << ", see stderr";
    }
    EXPECT_GT(shared->durable.load(), 0U);
}

#define VERIFY(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            std::fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                     \
            return 1;                                                                                        \
        }                                                                                                    \
    } while (false)

// -- checkpoints --------------------------------------------------------------------------------------------

// Small, so that memtables also fill up and are flushed in the background, between the flushes asked for.
constexpr derived_store_options tiny{std::size_t{64} << 10U, std::size_t{1} << 20U};
constexpr std::uint64_t keys = 40;

// What checkpoint `step` does to a key: the content of the store is a function of its position alone.
enum class change { put, remove, leave };
change change_of(std::uint64_t key, std::uint64_t step) {
    std::mt19937_64 random{step * keys + key};
    return static_cast<change>(random() % 3);
}

std::string name_of(std::uint64_t key) {
    return std::string{"k"}.append(std::to_string(key));
}

std::string value_of(std::uint64_t step) {
    return std::to_string(step) + std::string(200, 'v');
}

std::map<std::string, std::string> content_at(std::uint64_t position) {
    std::map<std::string, std::string> content;
    for (std::uint64_t step = 1; step <= position; ++step) {
        for (std::uint64_t key = 0; key < keys; ++key) {
            const auto change = change_of(key, step);
            if (change == change::put)
                content[name_of(key)] = value_of(step);
            else if (change == change::remove)
                content.erase(name_of(key));
        }
    }
    return content;
}

int write_checkpoints(const std::filesystem::path& directory, shared_progress& shared) {
    auto store = derived_store::open(directory, log_id, tiny);
    VERIFY(store.ok());
    for (auto step = (*store)->applied().value() + 1;; ++step) {
        derived_batch batch;
        for (std::uint64_t key = 0; key < keys; ++key) {
            const auto change = change_of(key, step);
            if (change == change::put)
                batch.put(name_of(key), value_of(step));
            else if (change == change::remove)
                batch.remove(name_of(key));
        }
        VERIFY((*store)->write(std::move(batch), log_position{step}).ok());
        if (step % 71 == 0) {
            VERIFY((*store)->flush().ok());
            shared->durable = (*store)->durable().value();
        }
        ++shared->written;
    }
}

int verify_checkpoint(const std::filesystem::path& directory, shared_progress& shared) {
    const auto store = derived_store::open(directory, log_id, tiny);
    VERIFY(store.ok());
    VERIFY((*store)->applied().value() >= shared->durable.load());
    std::map<std::string, std::string> content;
    VERIFY((*store)
               ->scan("", "z",
                      [&](std::string_view key, std::string_view value) {
                          content.emplace(key, value);
                          return true;
                      })
               .ok());
    VERIFY(content == content_at((*store)->applied().value()));
    return 0;
}

TEST(derived_kill, a_killed_writer_leaves_exactly_one_checkpoint) {
    const testing::temporary_directory home;
    shared_progress shared;
    run_rounds(
        11, 200, shared, [&] { return write_checkpoints(home.path(), shared); },
        [&] { return verify_checkpoint(home.path(), shared); });
}

// -- bulks of keys ------------------------------------------------------------------------------------------

// Bulk n covers one third of a generation, so that every third one falls into two generations.
constexpr std::uint64_t bulk_span = (std::uint64_t{1} << key_index::generation_bits) / 3;
constexpr std::uint64_t bulk_entries = 500;

std::vector<key_entry> bulk(std::uint64_t number) {
    std::vector<key_entry> entries;
    for (std::uint64_t i = 0; i < bulk_entries; ++i) {
        const auto position = number * bulk_span + i * (bulk_span / bulk_entries);
        entries.push_back({hash_key("topic", std::to_string(i)), log_position{position}, timestamp_ms{1}});
    }
    return entries;
}

int add_bulks(const std::filesystem::path& directory, shared_progress& shared) {
    auto index = key_index::open(directory, log_id);
    VERIFY(index.ok());
    for (auto number = (*index)->indexed_until().value() / bulk_span;; ++number) {
        const log_position until{(number + 1) * bulk_span};
        VERIFY((*index)->add(bulk(number), until).ok());
        shared->durable = until.value();
        ++shared->written;
    }
}

int verify_bulks(const std::filesystem::path& directory, shared_progress& shared) {
    const auto index = key_index::open(directory, log_id);
    VERIFY(index.ok());
    const auto until = (*index)->indexed_until().value();
    VERIFY(until >= shared->durable.load());
    VERIFY(until % bulk_span == 0);
    for (std::uint64_t i = 0; i < bulk_entries; i += 7) {
        const auto found = (*index)->find(hash_key("topic", std::to_string(i)), timestamp_ms{0},
                                          timestamp_ms{9}, std::numeric_limits<std::size_t>::max());
        VERIFY(found.ok());
        VERIFY(found->size() == until / bulk_span);
    }
    return 0;
}

TEST(derived_kill, a_killed_indexer_leaves_whole_bulks_and_their_position) {
    const testing::temporary_directory home;
    shared_progress shared;
    run_rounds(
        12, 8, shared, [&] { return add_bulks(home.path(), shared); },
        [&] { return verify_bulks(home.path(), shared); });
}

} // namespace
} // namespace holdfast::storage
