#include "storage/fault_file_system.hpp"

#include <utility>

namespace holdfast::storage {

struct fault_file_system::counters {
    std::atomic<std::uint64_t> writes{0};
    std::atomic<std::uint64_t> syncs{0};
};

namespace {

bool is_due(std::atomic<std::uint64_t>& counter, std::uint64_t from) {
    const auto number = ++counter;
    return from != 0 && number >= from;
}

error injected(const path& name, std::string_view operation) {
    return {errc::io_failed, name.string() + ": " + std::string{operation} + " failed: injected fault"};
}

template <class Counters>
class fault_file final : public file {
  public:
    fault_file(std::unique_ptr<file> real, const fault_settings& settings, std::shared_ptr<Counters> counted,
               bool durable_writes)
        : real_(std::move(real)),
          settings_(settings),
          counters_(std::move(counted)),
          durable_writes_(durable_writes) {}

    result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) const override {
        return real_->read(offset, into);
    }
    result<void> write(std::uint64_t offset, byte_view bytes) override {
        if (is_due(counters_->writes, settings_.fail_write_from))
            return injected(name(), "write");
        if (durable_writes_ && is_due(counters_->syncs, settings_.fail_sync_from))
            return injected(name(), "write (O_DSYNC)");
        return real_->write(offset, bytes);
    }
    result<void> sync_data() override {
        if (is_due(counters_->syncs, settings_.fail_sync_from))
            return injected(name(), "fdatasync");
        return settings_.ignore_syncs ? result<void>{} : real_->sync_data();
    }
    result<std::uint64_t> size() const override { return real_->size(); }
    result<void> allocate(std::uint64_t size) override { return real_->allocate(size); }
    result<void> truncate(std::uint64_t size) override { return real_->truncate(size); }
    result<file_extent> next_extent(std::uint64_t offset) const override {
        return real_->next_extent(offset);
    }
    void will_need(std::uint64_t offset, std::uint64_t size) const override {
        real_->will_need(offset, size);
    }
    [[nodiscard]] const path& name() const override { return real_->name(); }

  private:
    std::unique_ptr<file> real_;
    const fault_settings settings_;
    std::shared_ptr<Counters> counters_;
    const bool durable_writes_;
};

} // namespace

fault_file_system::fault_file_system(file_system& disk, fault_settings settings)
    : disk_(disk), settings_(std::move(settings)), counters_(std::make_shared<counters>()) {}

fault_file_system::~fault_file_system() = default;

result<std::unique_ptr<file>> fault_file_system::open(const path& name, open_mode mode, write_mode writes) {
    if (name.string().find(settings_.path_contains) == std::string::npos)
        return disk_.open(name, mode, writes);
    const bool durable_writes = writes == write_mode::direct && !settings_.ignore_syncs;
    auto real = disk_.open(name, mode, durable_writes ? write_mode::direct : write_mode::buffered);
    if (!real)
        return real;
    return std::unique_ptr<file>{
        std::make_unique<fault_file<counters>>(*std::move(real), settings_, counters_, durable_writes)};
}

result<void> fault_file_system::rename(const path& from, const path& to) {
    return disk_.rename(from, to);
}

result<void> fault_file_system::remove(const path& name) {
    return disk_.remove(name);
}

result<std::vector<file_entry>> fault_file_system::list(const path& directory) {
    return disk_.list(directory);
}

result<void> fault_file_system::create_directories(const path& directory) {
    return disk_.create_directories(directory);
}

result<void> fault_file_system::sync_directory(const path& directory) {
    return disk_.sync_directory(directory);
}

result<disk_space> fault_file_system::space(const path& directory) {
    return disk_.space(directory);
}

result<std::unique_ptr<directory_lock>> fault_file_system::lock(const path& directory) {
    return disk_.lock(directory);
}

} // namespace holdfast::storage
