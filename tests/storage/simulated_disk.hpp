// A disk in memory that is as unkind as a real one may be, and always in the same way for the same seed.
//
//  - What was written and not synced may be lost in part at a crash: each sector of each write survives or
//    not. So may names, in the order in which they were made (a journal): any number of the first survive.
//  - A failed sync loses its data for good although reads still show it, and the next sync says ok: as Linux
//  does.
//  - Direct writes are durable when they return; one that the power cut interrupts is torn.
//  - Full disk, read errors, flipped bits, read-only: on demand.
//
// Threads: any, one after the other (a mutex). Deterministic as long as the order of calls is.
#pragma once

#include "storage/file.hpp"

#include <map>
#include <mutex>
#include <optional>
#include <random>

namespace holdfast::storage {

struct simulated_disk_options {
    std::uint64_t seed = 1;
    std::size_t sector_bytes = 512; // what survives or is lost as one
    std::uint64_t capacity_bytes = UINT64_MAX;
};

class simulated_disk final : public file_system {
  public:
    explicit simulated_disk(simulated_disk_options options);
    ~simulated_disk() override;

    // The power goes now: unsynced bytes and names are lost at the seed's whim. Files opened before answer
    // with errors for ever; the disk is on again.
    void crash();
    // Every operation that changes the disk counts; the one after the next `operations` is interrupted, and
    // nothing works any more until crash().
    void cut_power_after(std::uint64_t operations);
    [[nodiscard]] bool has_power() const;

    // The sync after the next `syncs` fails, once. A direct write counts as one.
    void fail_sync_after(std::uint64_t syncs);
    void set_capacity(std::uint64_t bytes);
    void set_read_only(bool read_only);
    // Reads that touch this byte fail with io_failed.
    void fail_reads_at(const path& name, std::uint64_t offset);
    void heal_reads();
    [[nodiscard]] std::uint64_t failed_reads() const;

    // Changes bytes behind everybody's back, durably.
    void flip_bit(const path& name, std::uint64_t offset, unsigned bit);
    void overwrite(const path& name, std::uint64_t offset, byte_view bytes);
    void resize(const path& name, std::uint64_t size);
    void erase(const path& name);
    // As reads see it.
    [[nodiscard]] std::vector<std::byte> content(const path& name) const;

    result<std::unique_ptr<file>> open(const path& name, open_mode mode,
                                       write_mode writes = write_mode::buffered) override;
    result<void> rename(const path& from, const path& to) override;
    result<void> remove(const path& name) override;
    result<std::vector<file_entry>> list(const path& directory) override;
    result<void> create_directories(const path& directory) override;
    result<void> sync_directory(const path& directory) override;
    result<disk_space> space(const path& directory) override;
    result<std::unique_ptr<directory_lock>> lock(const path& directory) override;

  private:
    struct node;
    struct name_change;
    class open_file;
    class held_lock;
    using names = std::map<std::string, std::shared_ptr<node>>;

    // All called with mutex_ held.
    result<void> begin_change(const path& name, std::string_view operation);
    bool interrupts_now();
    bool sync_fails_now();
    bool coin();
    void change_name(name_change change);
    static void apply(names& to, const name_change& change);
    [[nodiscard]] std::uint64_t used_bytes() const;
    result<void> write_to(node& target, std::uint64_t offset, byte_view bytes, bool direct);
    result<void> sync(node& target);
    result<void> set_size(node& target, std::uint64_t size);
    void survive(node& one);
    [[nodiscard]] node& find(const path& name) const;

    mutable std::mutex mutex_;
    simulated_disk_options options_;
    std::mt19937_64 random_;
    names names_;         // as everybody sees them
    names durable_names_; // as they are after a crash
    std::vector<name_change> pending_names_;
    std::uint64_t power_cycle_ = 0;
    bool powered_ = true;
    bool read_only_ = false;
    std::optional<std::uint64_t> operations_left_;
    std::optional<std::uint64_t> syncs_left_;
    std::map<std::string, std::uint64_t> bad_reads_;
    std::uint64_t failed_reads_ = 0;
    std::map<std::string, std::uint64_t> locks_; // by directory: the power cycle they belong to
};

} // namespace holdfast::storage
