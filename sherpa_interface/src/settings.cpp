#include "settings.hpp"

#include <algorithm>
#include <vector>

#include "ATOOLS/Org/Exception.H"
#include "ATOOLS/Org/Message.H"
#include "ATOOLS/Org/Scoped_Settings.H"

namespace binnis {

namespace {

const std::vector<std::string> keys{"SAMPLER", "FILE", "BASE", "RECORD", "ACCEPTED", "SERVE", "BATCH"};

std::size_t distance(const std::string& a, const std::string& b) {  // of Levenshtein
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t corner = row[0]++;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, corner + (a[i - 1] == b[j - 1] ? 0 : 1)});
            corner = above;
        }
    }
    return row.back();
}

std::string nearest(const std::string& key) {
    const auto best = std::min_element(
        keys.begin(), keys.end(), [&](const auto& a, const auto& b) { return distance(a, key) < distance(b, key); });
    return distance(*best, key) <= 3 ? "; did you mean '" + *best + "'?" : "";
}

// Like Sherpa, takes "None" for no value: an empty one would not hide that of another card.
std::string text(ATOOLS::Scoped_Settings& block, const std::string& key) {
    const std::string value = block[key].SetDefault("None").Get<std::string>();
    return value == "None" ? "" : value;
}

Settings read() {
    ATOOLS::Scoped_Settings block = ATOOLS::Settings::GetMainSettings()["BINNIS"];
    for (const std::string& key : block.GetKeys())
        if (std::find(keys.begin(), keys.end(), key) == keys.end())
            THROW(fatal_error, "BINNIS: unknown key '" + key + "'" + nearest(key) +
                                   " (allowed: SAMPLER, FILE, BASE, RECORD, ACCEPTED, SERVE, BATCH)");
    Settings found;
    const std::string sampler = block["SAMPLER"].SetDefault("auto").Get<std::string>();
    if (sampler == "flow")
        found.mode = Mode::flow;
    else if (sampler == "vegas")
        found.mode = Mode::vegas;
    else if (sampler != "auto")
        THROW(fatal_error, "BINNIS: SAMPLER is '" + sampler + "'; it must be auto, flow or vegas");
    found.file = text(block, "FILE");
    found.base = text(block, "BASE");
    found.record = text(block, "RECORD");
    found.accepted = text(block, "ACCEPTED");
    found.serve = text(block, "SERVE");
    const long batch = block["BATCH"].SetDefault(1024).Get<long>();
    if (batch < 1 || batch > 1000000)
        THROW(fatal_error, "BINNIS: BATCH is " + std::to_string(batch) + "; it must be from 1 to 1000000");
    found.batch = static_cast<std::size_t>(batch);
    const std::string zip = ".zip";
    if (found.base.size() > zip.size() && found.base.compare(found.base.size() - zip.size(), zip.size(), zip) == 0)
        found.base.erase(found.base.size() - zip.size());
    if (found.mode == Mode::flow && found.file.empty())
        THROW(fatal_error, "BINNIS: SAMPLER: flow needs FILE, the sampler file that 'binnis sherpa run' writes");
    if (!found.file.empty() && found.base.empty() && found.mode != Mode::vegas)
        THROW(fatal_error,
              "BINNIS: FILE needs BASE, the results (Results.zip) of the run that the sampler was trained on");
    return found;
}

}  // namespace

const Settings& Settings::get() {
    static const Settings settings = read();
    return settings;
}

}  // namespace binnis
