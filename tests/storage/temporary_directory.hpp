// A directory of its own for one test, gone afterwards.
#pragma once

#include "base/check.hpp"

#include <filesystem>
#include <string>

#include <stdlib.h>

namespace holdfast::storage::testing {

class temporary_directory {
  public:
    temporary_directory() {
        std::string name = (std::filesystem::temp_directory_path() / "holdfast-XXXXXX").string();
        HOLDFAST_CHECK(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    temporary_directory(const temporary_directory&) = delete;
    temporary_directory& operator=(const temporary_directory&) = delete;
    ~temporary_directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

} // namespace holdfast::storage::testing
