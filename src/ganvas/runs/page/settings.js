/* Settings */
const find = byId("find");
if (find) {
  const only = byId("only-changed");
  const sift = () => {
    for (const row of document.querySelectorAll(".settings > div")) {
      const wanted = row.textContent.toLowerCase().includes(find.value.trim().toLowerCase());
      row.hidden = !wanted || (only.checked && !row.classList.contains("changed"));
    }
  };
  find.addEventListener("input", sift);
  only.addEventListener("change", sift);
}
