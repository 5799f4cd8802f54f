#include "storage/file.hpp"

#include <algorithm>

namespace holdfast::storage {

namespace {

constexpr std::size_t zeros_at_once = 1U << 20U;

// Aligned for direct files; untouched pages of it cost no memory.
alignas(block_size) std::byte zeros[zeros_at_once];

} // namespace

result<void> write_zeros(file& target, std::uint64_t first, std::uint64_t last) {
    while (first < last) {
        const auto count = std::min<std::uint64_t>(last - first, zeros_at_once);
        if (auto written = target.write(first, {zeros, count}); !written)
            return written;
        first += count;
    }
    return {};
}

result<void> read_exactly(const file& source, std::uint64_t offset, std::span<std::byte> into) {
    auto count = source.read(offset, into);
    if (!count)
        return count.failure();
    if (*count < into.size())
        return error{errc::corrupted, source.name().string() + ": ends at byte " +
                                          std::to_string(offset + *count) + ", expected " +
                                          std::to_string(into.size()) + " bytes from " +
                                          std::to_string(offset)};
    return {};
}

result<void> replace_file(file_system& files, const path& name, byte_view bytes) {
    const path temporary = name.string() + ".new";
    auto opened = files.open(temporary, open_mode::replace);
    if (!opened)
        return opened.failure();
    if (auto written = (*opened)->write(0, bytes); !written)
        return written;
    if (auto synced = (*opened)->sync_data(); !synced)
        return synced;
    if (auto renamed = files.rename(temporary, name); !renamed)
        return renamed;
    return files.sync_directory(name.parent_path());
}

result<std::vector<std::byte>> read_file(file_system& files, const path& name, std::size_t limit) {
    auto opened = files.open(name, open_mode::read);
    if (!opened)
        return opened.failure();
    auto size = (*opened)->size();
    if (!size)
        return size.failure();
    if (*size > limit)
        return error{errc::too_large, name.string() + ": " + std::to_string(*size) +
                                          " bytes, expected at most " + std::to_string(limit)};
    std::vector<std::byte> bytes(*size);
    if (auto done = read_exactly(**opened, 0, bytes); !done)
        return done.failure();
    return bytes;
}

} // namespace holdfast::storage
